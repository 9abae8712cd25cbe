-- name: purge_totals(team_id, rows_max)$
-- Delete the first `rows_max` of a team's totals, and return how many: the rows that the triggers have emptied. Runs while
-- the team is locked.
with
purged as (
    delete from totals
    where
        team_id = :team_id
        and (member_id, currency, kind, month) in (
            select
                first.member_id,
                first.currency,
                first.kind,
                first.month
            from totals as first
            where first.team_id = :team_id
            order by first.member_id, first.currency, first.kind, first.month
            limit :rows_max
        )
    returning member_id
)

select count(*)
from purged;
