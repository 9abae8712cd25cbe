-- name: delete(team_id, user_id, revision, expense_id, is_settlement, versions)^
-- Remove an expense and its entries from the ledger, or return the refusal; the expense keeps all that a restore needs.
-- Its version must be in `versions` (null accepts any). Runs while the team is locked.
with
actor as (
    select actors.*
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
),

before as (
    select
        expenses.kind,
        expenses.version,
        expenses.created_by,
        expenses.spent_on,
        to_jsonb(expenses) as record
    from expenses
    where
        expenses.team_id = :team_id
        and expenses.expense_id = :expense_id
        and (expenses.kind = 'settlement' or not :is_settlement)
        and expenses.deleted_at is null
),

verdict as (
    select
        actor.member_id as actor_id,
        actor.role as actor_role,
        before.version,
        before.record,
        actor.closed_until,
        :team_id::uuid as team_id,
        :expense_id::uuid as expense_id,
        case
            when not actor.can_record then 'recorders-only'
            when actor.is_archived then 'team-archived'
            when before.version is null and :is_settlement then 'no-such-settlement'
            when before.version is null then 'no-such-expense'
            when before.kind = 'settlement' and not :is_settlement then 'is-settlement'
            when not actor.can_manage and before.created_by <> actor.member_id then 'managers-or-recorder-only'
            when before.spent_on <= actor.closed_until then 'period-closed'
            when before.version <> all(:versions::integer[]) then 'other-version'
        end as refusal
    from actor
    left join before on true
),

expense as (
    update expenses
    set
        version = expenses.version + 1,
        updated_at = now(),
        deleted_at = now()
    from verdict
    where
        expenses.team_id = :team_id
        and expenses.expense_id = :expense_id
        and verdict.refusal is null
    returning expenses.expense_id
),

ledger as (
    delete from entries
    using expense
    where
        entries.team_id = :team_id
        and entries.expense_id = :expense_id
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before)
    select
        :team_id,
        :revision,
        verdict.actor_id,
        case when :is_settlement then 'settlements' else 'expenses' end || '.delete',
        expense.expense_id,
        verdict.record
    from expense
    cross join verdict
)

select
    refusal,
    actor_role,
    team_id,
    expense_id,
    closed_until,
    version as current_version,
    :versions::integer[] as sent_versions
from verdict;
