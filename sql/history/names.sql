-- name: names(team_id, user_id, member_ids)
-- The names of some members of a team, active or former, as they are now.
select
    members.member_id,
    members.name
from members
where
    members.team_id = :team_id
    and members.member_id = any(:member_ids::uuid[])
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    );
