-- name: purge_members(team_id, rows_max)$
-- Delete the first of a team's members, up to `rows_max`, and return how many. Runs while the team is locked.
with
purged as (
    delete from members
    where
        team_id = :team_id
        and member_id = any(
            array(
                select first.member_id
                from members as first
                where first.team_id = :team_id
                order by first.member_id
                limit :rows_max
            )
        )
    returning member_id
)

select count(*)
from purged;
