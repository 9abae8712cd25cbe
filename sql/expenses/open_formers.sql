-- name: open_formers(team_id, member_ids)
-- Those of some members who left with an open balance: an expense can still name them. Runs while the team is locked, and
-- only if an expense names somebody who is not active.
select distinct members.member_id
from members
inner join open_balances on members.member_id = open_balances.member_id
where
    members.team_id = :team_id
    and members.left_at is not null
    and open_balances.team_id = :team_id
    and open_balances.member_id = any(:member_ids::uuid[]);
