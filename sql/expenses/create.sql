-- name: create(team_id, user_id, revision, expense_id, description, category, amount, currency, spent_on, notes, split, typed, payers, participants, everybody, former_ids, member_ids, paid, owed)^
-- Record an expense with its entries, or return the refusal. `everybody` is null, or all active members if they share
-- the expense. All members it names are active, except for `former_ids`. Runs while the team is locked, after
-- expenses.prepare.
with
verdict as (
    select
        actors.member_id,
        actors.role as actor_role,
        case
            when not actors.can_record then 'recorders-only'
            when actors.is_archived then 'team-archived'
            when
                :everybody::uuid[] <> array(
                    select members.member_id
                    from members
                    where
                        members.team_id = :team_id
                        and members.left_at is null
                    order by members.member_id
                )
                or (
                    select count(*)
                    from members
                    where
                        members.team_id = :team_id
                        and members.left_at is null
                        and members.member_id = any(:member_ids::uuid[])
                ) <> cardinality(:member_ids) - cardinality(:former_ids::uuid[])
                then 'members-changed'
        end as refusal
    from actors
    where
        actors.team_id = :team_id
        and actors.user_id = :user_id
),

expense as (
    insert into expenses (
        team_id, expense_id, description, category, amount, currency, spent_on, notes,
        split, typed, payers, participants, created_by
    )
    select
        :team_id,
        :expense_id,
        :description,
        :category,
        :amount,
        :currency,
        coalesce(:spent_on::date, (select (now() at time zone 'utc')::date)),
        :notes,
        :split,
        :typed,
        :payers,
        :participants,
        verdict.member_id
    from verdict
    where verdict.refusal is null
    returning
        expense_id,
        description,
        category,
        amount,
        currency,
        spent_on,
        notes,
        split,
        typed,
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
    expense.*,
    verdict.refusal,
    verdict.actor_role
from verdict
left join expense on true;
