-- name: update(team_id, user_id, revision, member_id, name, role)^
-- Change a member's name or role; null leaves it as it is. Nothing unless the actor may: an owner all, an admin all but
-- owners, everybody their own name. A guest has no role to change, and the last owner stays one.
with
actor as (
    select
        member_id,
        role
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
),

before as (
    select
        members.member_id,
        to_jsonb(members) as record
    from members
    where
        team_id = :team_id
        and member_id = :member_id
),

member as (
    update members
    set
        name = coalesce(:name, members.name),
        role = coalesce(:role, members.role)
    from actor
    where
        members.team_id = :team_id
        and members.member_id = :member_id
        and members.left_at is null
        and (
            actor.role = 'owner'
            or (actor.role = 'admin' and members.role <> 'owner' and coalesce(:role::text, '') <> 'owner')
            or (actor.member_id = members.member_id and :role::text is null)
        )
        and (:role::text is null or members.role <> 'guest')
        and (
            members.role <> 'owner'
            or coalesce(:role::text, 'owner') = 'owner'
            or exists (
                select 1
                from actors as other
                where
                    other.team_id = :team_id
                    and other.role = 'owner'
                    and other.member_id <> :member_id
            )
        )
    returning
        members.member_id,
        members.user_id,
        members.name,
        members.role,
        members.joined_at,
        members.left_at
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, before, after)
    select
        :team_id,
        :revision,
        actor.member_id,
        'members.update',
        member.member_id,
        before.record,
        to_jsonb(member)
    from member
    cross join actor
    cross join before
)

select
    member_id,
    user_id,
    name,
    role,
    joined_at,
    left_at
from member;
