-- name: delete(team_id, user_id, revision, expense_id, versions)$
-- Take an expense and its entries out of the ledger; the expense keeps all that a restore needs. Nothing unless the
-- actor recorded it or is an admin, and it still has one of the versions; null means whichever it has.
with
before as (
    select
        expenses.expense_id,
        actors.member_id as actor_id,
        to_jsonb(expenses) as record
    from actors
    inner join expenses on actors.team_id = expenses.team_id
    where
        actors.team_id = :team_id
        and actors.user_id = :user_id
        and expenses.expense_id = :expense_id
        and expenses.kind = 'expense'
        and expenses.deleted_at is null
        and (:versions::integer[] is null or expenses.version = any(:versions))
        and (
            actors.role in ('owner', 'admin')
            or (actors.role = 'member' and actors.member_id = expenses.created_by)
        )
),

expense as (
    update expenses
    set
        version = expenses.version + 1,
        updated_at = now(),
        deleted_at = now()
    from before
    where
        expenses.team_id = :team_id
        and expenses.expense_id = before.expense_id
    returning expenses.expense_id
),

ledger as (
    delete from entries
    using expense
    where
        entries.team_id = :team_id
        and entries.expense_id = expense.expense_id
)

insert into revisions (team_id, revision, actor_id, action, subject_id, before)
select
    :team_id,
    :revision,
    before.actor_id,
    'expenses.delete',
    before.expense_id,
    before.record
from before
returning subject_id;
