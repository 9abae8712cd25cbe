-- name: add_account(team_id, user_id, revision, email, role, members_max)^
-- Add the account with an address, or take back one that had left. Nothing unless the actor may give that role, the
-- account exists and is not in the team, and there is room.
with
actor as (
    select member_id
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
        and (role = 'owner' or (role = 'admin' and :role::text <> 'owner'))
),

member as (
    insert into members (team_id, user_id, name, role)
    select
        :team_id,
        users.user_id,
        users.name,
        :role
    from actor
    cross join users
    where
        users.email = :email
        and users.deleted_at is null
        and :members_max > (
            select count(*)
            from members as present
            where
                present.team_id = :team_id
                and present.left_at is null
        )
    on conflict on constraint members_team_id_user_id_key do update
        set
            role = excluded.role,
            joined_at = now(),
            left_at = null
        where members.left_at is not null
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
