-- name: create(team_id, user_id, revision, expense_id, kind, description, category, amount, currency, handed_amount, handed_currency, spent_on, notes, external_id, metadata, split, typed, payers, participants, items, tax, tip, discount, everybody, former_ids, member_ids, paid, owed)^
-- Record an expense of any kind with its entries, or return the refusal. `everybody` is null, or all who share by default
-- if they do. All members it names are active, except for `former_ids`. Runs while the team is locked, after
-- expenses.prepare.
with
verdict as (
    select
        actors.member_id,
        actors.role as actor_role,
        actors.closed_until,
        taken.expense_id as taken_id,
        taken.kind as taken_kind,
        taken.deleted_at as taken_deleted_at,
        case
            when not actors.can_record then 'recorders-only'
            when actors.is_archived then 'team-archived'
            when :spent_on::date <= actors.closed_until then 'period-closed'
            when
                :everybody::uuid[] <> array(
                    select members.member_id
                    from members
                    where
                        members.team_id = :team_id
                        and members.left_at is null
                        and members.role <> 'viewer'
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
            when taken.expense_id is not null then 'external-id-taken'
        end as refusal
    from actors
    left join expenses as taken on taken.team_id = :team_id and taken.external_id = :external_id
    where
        actors.team_id = :team_id
        and actors.user_id = :user_id
),

expense as (
    insert into expenses (
        team_id, expense_id, kind, description, category, amount, currency, handed_amount, handed_currency, spent_on,
        notes, external_id, metadata, split, typed, payers, participants, items, tax, tip, discount, created_by,
        recorded_revision
    )
    select
        :team_id,
        :expense_id,
        :kind,
        :description,
        :category,
        :amount,
        :currency,
        :handed_amount,
        :handed_currency,
        :spent_on,
        :notes,
        :external_id,
        :metadata,
        :split,
        :typed,
        :payers,
        :participants,
        :items,
        :tax,
        :tip,
        :discount,
        verdict.member_id,
        :revision
    from verdict
    where verdict.refusal is null
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
        updated_at
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
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, after)
    select
        :team_id,
        :revision,
        expense.created_by,
        case expense.kind when 'settlement' then 'settlements' else 'expenses' end || '.create',
        expense.expense_id,
        to_jsonb(expense)
    from expense
)

select
    expense.*,
    verdict.refusal,
    verdict.actor_role,
    verdict.closed_until,
    :team_id::uuid as team_id,
    verdict.taken_id,
    verdict.taken_kind,
    verdict.taken_deleted_at
from verdict
left join expense on true;
