-- name: purge_revisions(team_id, rows_max)$
-- Delete the first of a team's revisions, up to `rows_max`, and return how many. Runs while the team is locked.
with
purged as (
    delete from revisions
    where
        team_id = :team_id
        and revision = any(
            array(
                select first.revision
                from revisions as first
                where first.team_id = :team_id
                order by first.revision
                limit :rows_max
            )
        )
    returning revision
)

select count(*)
from purged;
