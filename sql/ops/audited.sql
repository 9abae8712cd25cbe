-- name: audited(every_seconds)^
-- The result of the last audit, and whether the next one is due.
select
    accounts,
    teams,
    expenses,
    settlements,
    unbalanced_teams,
    wrong_totals,
    amounts::text as amounts,
    extract(epoch from audited_at)::double precision as audited_at_seconds,
    audited_at is null or audited_at < now() - :every_seconds * interval '1 second' as is_due
from audits;
