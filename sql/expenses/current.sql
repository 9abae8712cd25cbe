-- name: current(team_id, user_id, expense_id, is_settlement, versions, external_id, spent_on)^
-- The live expense, or the settlement, that is to be changed, with what was typed and the active members; or the refusal,
-- if the actor may not change it, its day or the new one (null is the same) is in a closed period, its version is not in
-- `versions` (null accepts any), or another has the new external id. Runs while the team is locked.
with
actor as (
    select actors.*
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
),

expense as (
    select
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
        metadata::text as metadata,
        split,
        tax,
        tip,
        discount,
        created_by,
        version,
        created_at,
        updated_at,
        recorded_revision,
        typed::text as typed,
        payers::text as payers,
        participants::text as participants,
        items::text as items
    from expenses
    where
        team_id = :team_id
        and expense_id = :expense_id
        and (kind = 'settlement' or not :is_settlement)
        and deleted_at is null
),

taken as (
    select
        expense_id,
        kind,
        deleted_at
    from expenses
    where
        team_id = :team_id
        and external_id = :external_id
        and expense_id <> :expense_id
),

present as (
    select
        array_agg(member_id) as active_ids,
        coalesce(array_agg(member_id order by member_id) filter (where role <> 'viewer'), '{}') as everybody
    from members
    where
        team_id = :team_id
        and left_at is null
)

select
    expense.*,
    actor.member_id as actor_id,
    actor.role as actor_role,
    actor.closed_until,
    expense.version as current_version,
    taken.expense_id as taken_id,
    taken.kind as taken_kind,
    taken.deleted_at as taken_deleted_at,
    present.active_ids,
    present.everybody,
    :team_id::uuid as team_id,
    :versions::integer[] as sent_versions,
    case
        when not actor.can_record then 'recorders-only'
        when actor.is_archived then 'team-archived'
        when expense.version is null and :is_settlement then 'no-such-settlement'
        when expense.version is null then 'no-such-expense'
        when expense.kind = 'settlement' and not :is_settlement then 'is-settlement'
        when not actor.can_manage and expense.created_by <> actor.member_id then 'managers-or-recorder-only'
        when least(expense.spent_on, :spent_on::date) <= actor.closed_until then 'period-closed'
        when expense.version <> all(:versions::integer[]) then 'other-version'
        when taken.expense_id is not null then 'external-id-taken'
    end as refusal,
    (
        select (now() at time zone teams.time_zone)::date
        from teams
        where teams.team_id = :team_id
    ) as today
from actor
cross join present
left join expense on true
left join taken on true;
