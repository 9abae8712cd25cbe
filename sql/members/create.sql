-- name: create(team_id, user_id, revision, email, name, member_id, role, members_max)^
-- Add the account with an address, or take it back if it had left; with a null address, take back a former member by
-- id, or add a guest by name. A null role is `member`, or `guest` for a guest. Or return the refusal. Runs while the team
-- is locked.
with
actor as (
    select actors.*
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
),

account as (
    select
        users.user_id,
        users.name
    from users
    where
        users.email = :email::text
        and users.deleted_at is null
),

former as (
    select
        members.member_id,
        members.user_id,
        members.name
    from members
    where
        members.team_id = :team_id
        and members.member_id = :member_id
        and members.left_at is not null
),

-- The same member as they left, found by their id or their account.
before as (
    select to_jsonb(members) as record
    from members
    where
        members.team_id = :team_id
        and (
            members.member_id = (select former.member_id from former)
            or members.user_id = (select account.user_id from account)
        )
),

present as (
    select
        count(*) as members,
        coalesce(bool_or(members.user_id = account.user_id), false) as is_member
    from members
    left join account on members.user_id = account.user_id
    where
        members.team_id = :team_id
        and members.left_at is null
),

verdict as (
    select
        actor.member_id as actor_id,
        actor.role as actor_role,
        former.member_id,
        present.members,
        before.record,
        coalesce(account.user_id, former.user_id) as user_id,
        coalesce(account.name, former.name, :name) as name,
        case
            when coalesce(account.user_id, former.user_id) is null then 'guest'
            else coalesce(:role, 'member')
        end as role,
        case
            when not actor.can_manage then 'managers-only'
            when actor.is_archived then 'team-archived'
            when :role = 'owner' and actor.role <> 'owner' then 'owners-name-owners'
            when :email::text is not null and account.user_id is null then 'no-account'
            when :member_id::uuid is not null and former.member_id is null then 'no-such-former-member'
            when :role::text is not null and former.member_id is not null and former.user_id is null
                then 'guests-have-no-role'
            when present.is_member then 'already-member'
            when present.members >= :members_max then 'team-full'
        end as refusal
    from actor
    cross join present
    left join account on true
    left join former on true
    left join before on true
),

returned as (
    update members
    set
        role = verdict.role,
        joined_at = now(),
        left_at = null,
        version = members.version + 1
    from verdict
    where
        members.team_id = :team_id
        and members.member_id = verdict.member_id
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

added as (
    insert into members (team_id, user_id, name, role)
    select
        :team_id,
        verdict.user_id,
        verdict.name,
        verdict.role
    from verdict
    where
        verdict.refusal is null
        and verdict.member_id is null
    on conflict on constraint members_team_id_user_id_key do update
        set
            role = excluded.role,
            joined_at = excluded.joined_at,
            left_at = null,
            version = members.version + 1
    returning
        member_id,
        user_id,
        name,
        role,
        joined_at,
        left_at,
        version
),

member as (
    select returned.*
    from returned
    union all
    select added.*
    from added
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        :team_id,
        :revision,
        verdict.actor_id,
        'members.create',
        member.member_id,
        verdict.record,
        to_jsonb(member)
    from member
    cross join verdict
)

select
    member.*,
    verdict.refusal,
    verdict.actor_role,
    verdict.members
from verdict
left join member on true;
