-- name: audit(every_seconds)^
-- Audit the whole ledger, unless that was done recently or is being done; return in how many teams entries do not come to
-- their expenses, and how many totals not to their entries. The counts are subqueries, so that nothing is counted if no
-- audit is due.
with
due as (
    select is_only
    from audits
    where audited_at is null or audited_at < now() - :every_seconds * interval '1 second'
    for update skip locked
),

live as (
    select
        kind,
        currency,
        count(*) filter (where deleted_at is null) as expenses,
        coalesce(sum(amount) filter (where deleted_at is null), 0) as amount
    from expenses
    group by kind, currency
)

update audits
set
    audited_at = now(),
    accounts = (
        select count(*)
        from users
        where deleted_at is null
    ),
    teams = (
        select count(*)
        from teams
        where deleted_at is null
    ),
    expenses = (
        select coalesce(sum(expenses), 0)
        from live
        where kind = 'expense'
    ),
    settlements = (
        select coalesce(sum(expenses), 0)
        from live
        where kind = 'settlement'
    ),
    amounts = (
        select coalesce(jsonb_object_agg(currency, amount), '{}')
        from live
        where kind = 'expense'
    ),
    unbalanced_teams = (
        select count(distinct team_id)
        from unbalanced_expenses
    ),
    wrong_totals = (
        select count(*)
        from wrong_totals
    )
from due
where audits.is_only = due.is_only
returning
    audits.unbalanced_teams,
    audits.wrong_totals;
