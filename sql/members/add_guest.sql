-- name: add_guest(team_id, user_id, revision, name, members_max)^
-- Add a party that has only a name. Nothing unless the actor manages members and there is room.
with
actor as (
    select member_id
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
        and role in ('owner', 'admin')
),

member as (
    insert into members (team_id, name, role)
    select
        :team_id,
        :name,
        'guest'
    from actor
    where
        :members_max > (
            select count(*)
            from members as present
            where
                present.team_id = :team_id
                and present.left_at is null
        )
    returning
        member_id,
        user_id,
        name,
        role,
        joined_at,
        left_at
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, after)
    select
        :team_id,
        :revision,
        actor.member_id,
        'members.create',
        member.member_id,
        to_jsonb(member)
    from member
    cross join actor
)

select
    member_id,
    user_id,
    name,
    role,
    joined_at,
    left_at
from member;
