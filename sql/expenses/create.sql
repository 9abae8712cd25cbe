-- name: create(team_id, user_id, revision, expense_id, description, category, amount, currency, spent_on, notes, split, payers, participants, everybody, member_ids, paid, owed)^
-- Record an expense with its entries. Nothing unless the actor records in the team and all it names can be named
-- now; with `everybody`, also unless the participants are all active members.
with
actor as (
    select member_id
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
        and role in ('owner', 'admin', 'member')
),

expense as (
    insert into expenses (
        team_id, expense_id, description, category, amount, currency, spent_on, notes,
        split, payers, participants, created_by
    )
    select
        :team_id,
        :expense_id,
        :description,
        :category,
        :amount,
        :currency,
        :spent_on,
        :notes,
        :split,
        :payers,
        :participants,
        actor.member_id
    from actor
    where (
        select
            count(*) filter (where parties.member_id = any(:member_ids::uuid[])) = cardinality(:member_ids::uuid[])
            and (not :everybody or count(*) filter (where parties.is_active) = jsonb_array_length(:participants))
        from parties
        where parties.team_id = :team_id
    )
    returning
        expense_id,
        description,
        category,
        amount,
        currency,
        spent_on,
        notes,
        split,
        payers,
        participants,
        created_by,
        version,
        created_at,
        updated_at
),

ledger as (
    insert into entries (team_id, expense_id, member_id, currency, paid, owed)
    select
        :team_id,
        expense.expense_id,
        entry.member_id,
        expense.currency,
        entry.paid,
        entry.owed
    from expense
    cross join
        unnest(:member_ids::uuid[], :paid::bigint[], :owed::bigint[]) as entry (member_id, paid, owed)
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, after)
    select
        :team_id,
        :revision,
        expense.created_by,
        'expenses.create',
        expense.expense_id,
        to_jsonb(expense)
    from expense
)

select
    expense_id,
    description,
    category,
    amount,
    currency,
    spent_on,
    notes,
    split,
    payers,
    participants,
    created_by,
    version,
    created_at,
    updated_at
from expense;
