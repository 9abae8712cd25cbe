-- name: current(team_id, user_id, expense_id, versions)^
-- The live expense that is to be changed, with what was typed and the active members; or the refusal, if the actor may
-- not change it or its version is not in `versions` (null accepts any). Runs while the team is locked.
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
        description,
        category,
        amount,
        currency,
        spent_on,
        notes,
        split,
        created_by,
        version,
        created_at,
        updated_at,
        typed::text as typed,
        payers::text as payers,
        participants::text as participants
    from expenses
    where
        team_id = :team_id
        and expense_id = :expense_id
        and kind = 'expense'
        and deleted_at is null
)

select
    expense.*,
    actor.member_id as actor_id,
    actor.role as actor_role,
    expense.version as current_version,
    :versions::integer[] as sent_versions,
    case
        when not actor.can_record then 'recorders-only'
        when actor.is_archived then 'team-archived'
        when expense.version is null then 'no-such-expense'
        when not actor.can_manage and expense.created_by <> actor.member_id then 'managers-or-recorder-only'
        when expense.version <> all(:versions::integer[]) then 'other-version'
    end as refusal,
    array(
        select members.member_id
        from members
        where
            members.team_id = :team_id
            and members.left_at is null
    ) as active_ids
from actor
left join expense on true;
