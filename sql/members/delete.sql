-- name: delete(team_id, user_id, revision, member_id, keep_balance)$
-- Make a member a former one. Nothing unless the actor may (an owner all, an admin all but owners, everybody
-- themselves), an owner remains, and the member's balance is zero in every currency or is to be kept.
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

former as (
    update members
    set left_at = now()
    from actor
    where
        members.team_id = :team_id
        and members.member_id = :member_id
        and members.left_at is null
        and (
            actor.role = 'owner'
            or (actor.role = 'admin' and members.role <> 'owner')
            or actor.member_id = members.member_id
        )
        and (
            members.role <> 'owner'
            or exists (
                select 1
                from actors as other
                where
                    other.team_id = :team_id
                    and other.role = 'owner'
                    and other.member_id <> :member_id
            )
        )
        and (
            :keep_balance
            or not exists (
                select 1
                from entries
                where
                    entries.team_id = :team_id
                    and entries.member_id = :member_id
                group by entries.currency
                having sum(entries.paid) <> sum(entries.owed)
            )
        )
    returning
        members.member_id,
        members.user_id,
        members.name,
        members.role,
        members.joined_at,
        members.left_at
)

insert into revisions (team_id, revision, actor_id, action, subject_id, after)
select
    :team_id,
    :revision,
    actor.member_id,
    'members.delete',
    former.member_id,
    to_jsonb(former)
from former
cross join actor
returning subject_id;
