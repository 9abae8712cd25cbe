-- name: update(team_id, user_id, revision, member_id, versions, name, role)^
-- Change an active member's name or role, or return the refusal; null, or the same, leaves a field unchanged. Owners can change
-- everybody, admins everybody except owners, and everybody their own name. The member's version must be in `versions`
-- (null accepts any). Also in an archived team, so that its last owner can hand it over and leave. Runs while the team is
-- locked.
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

verdict as (
    select
        actor.member_id as actor_id,
        actor.role as actor_role,
        before.version,
        before.record,
        case
            when before.member_id is null then 'no-such-member'
            when not actor.can_manage and (:role::text <> before.role or actor.member_id <> before.member_id)
                then 'managers-only'
            when actor.role <> 'owner' and 'owner' in (before.role, :role) then 'owners-change-owners'
            when before.role = 'guest' and :role::text <> 'guest' then 'guests-have-no-role'
            when before.role <> 'guest' and :role::text = 'guest' then 'accounts-are-no-guests'
            when before.role = 'owner' and :role::text <> 'owner' and owners.number = 1 then 'last-owner'
            when before.version <> all(:versions::integer[]) then 'other-version'
        end as refusal
    from actor
    cross join owners
    left join before on true
),

member as (
    update members
    set
        name = coalesce(:name, members.name),
        role = coalesce(:role, members.role),
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
        members.version,
        verdict.record
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        :team_id,
        :revision,
        verdict.actor_id,
        'members.update',
        member.member_id,
        member.record,
        to_jsonb(member) - 'record'
    from member
    cross join verdict
)

select
    member.*,
    verdict.refusal,
    verdict.actor_role,
    verdict.version as current_version,
    :versions::integer[] as sent_versions
from verdict
left join member on true;
