-- name: update(team_id, actor_id, revision, expense_id, kind, description, category, amount, currency, handed_amount, handed_currency, spent_on, notes, external_id, metadata, split, typed, payers, participants, items, tax, tip, discount, member_ids, paid, owed)^
-- Replace an expense's columns and entries. Runs while the team is locked, after expenses.current.
with
before as (
    select to_jsonb(expenses) as record
    from expenses
    where
        team_id = :team_id
        and expense_id = :expense_id
),

expense as (
    update expenses
    set
        kind = :kind,
        description = :description,
        category = :category,
        amount = :amount,
        currency = :currency,
        handed_amount = :handed_amount,
        handed_currency = :handed_currency,
        spent_on = :spent_on,
        notes = :notes,
        external_id = :external_id,
        metadata = :metadata,
        split = :split,
        typed = :typed,
        payers = :payers,
        participants = :participants,
        items = :items,
        tax = :tax,
        tip = :tip,
        discount = :discount,
        version = expenses.version + 1,
        updated_at = now()
    from before
    where
        expenses.team_id = :team_id
        and expenses.expense_id = :expense_id
    returning
        expense_id,
        kind,
        description,
        category,
        amount,
        currency,
        handed_amount,
        handed_currency,
        spent_on,
        notes,
        external_id,
        metadata,
        split,
        typed,
        payers,
        participants,
        items,
        tax,
        tip,
        discount,
        created_by,
        version,
        created_at,
        updated_at,
        before.record
),

dropped as (
    delete from entries
    using expense
    where
        entries.team_id = :team_id
        and entries.expense_id = :expense_id
        and entries.member_id <> all(:member_ids::uuid[])
),

ledger as (
    insert into entries (team_id, expense_id, member_id, currency, kind, spent_on, paid, owed)
    select
        :team_id,
        expense.expense_id,
        entry.member_id,
        expense.currency,
        expense.kind,
        expense.spent_on,
        entry.paid,
        entry.owed
    from expense
    cross join
        unnest(:member_ids::uuid[], :paid::bigint[], :owed::bigint[]) as entry (member_id, paid, owed)
    on conflict (team_id, expense_id, member_id) do update
        set
            currency = excluded.currency,
            kind = excluded.kind,
            spent_on = excluded.spent_on,
            paid = excluded.paid,
            owed = excluded.owed
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        :team_id,
        :revision,
        :actor_id,
        case expense.kind when 'settlement' then 'settlements' else 'expenses' end || '.update',
        expense.expense_id,
        expense.record,
        to_jsonb(expense) - 'record'
    from expense
)

select expense.*
from expense;
