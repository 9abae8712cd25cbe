-- name: delete(team_id, user_id, revision, member_id, versions, keep_balance)^
-- Make an active member a former one, or return the refusal. Owners can remove everybody, admins everybody except
-- owners, and everybody themselves, also in an archived team. The member's version must be in `versions` (null accepts
-- any). Runs while the team is locked.
with
actor as (
    select actors.*
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
),

target as (
    select
        members.member_id,
        members.role,
        members.version,
        to_jsonb(members) as record
    from members
    where
        members.team_id = :team_id
        and members.member_id = :member_id
        and members.left_at is null
),

owners as (
    select count(*) as number
    from actors
    where
        team_id = :team_id
        and role = 'owner'
),

balance as (
    select json_agg(json_build_object('currency', currency, 'net', net) order by currency) as balances
    from open_balances
    where
        team_id = :team_id
        and member_id = :member_id
),

verdict as (
    select
        actor.member_id as actor_id,
        actor.role as actor_role,
        balance.balances,
        target.version,
        target.record,
        case
            when target.member_id is null then 'no-such-member'
            when not actor.can_manage and actor.member_id <> target.member_id then 'managers-only'
            when actor.role <> 'owner' and target.role = 'owner' then 'owners-change-owners'
            when target.role = 'owner' and owners.number = 1 then 'last-owner'
            when balance.balances is not null and not :keep_balance then 'open-balance'
            when target.version <> all(:versions::integer[]) then 'other-version'
        end as refusal
    from actor
    cross join owners
    cross join balance
    left join target on true
),

former as (
    update members
    set
        left_at = now(),
        version = members.version + 1
    from verdict
    where
        members.team_id = :team_id
        and members.member_id = :member_id
        and verdict.refusal is null
    returning
        members.member_id,
        members.user_id,
        members.name,
        members.role,
        members.joined_at,
        members.left_at,
        members.version
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        :team_id,
        :revision,
        verdict.actor_id,
        'members.delete',
        former.member_id,
        verdict.record,
        to_jsonb(former)
    from former
    cross join verdict
)

select
    refusal,
    actor_role,
    balances,
    version as current_version,
    :versions::integer[] as sent_versions
from verdict;
