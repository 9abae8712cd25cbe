-- name: create(user_id, name, currency)^
-- Add a team with the actor as its first member and owner. No row if the account was deleted.
with
team as (
    insert into teams (name, currency)
    select
        :name,
        :currency
    from users
    where users.user_id = :user_id
    returning
        team_id,
        name,
        currency,
        revision,
        archived_at,
        version,
        created_at
),

owner as (
    insert into members (team_id, user_id, name, role)
    select
        team.team_id,
        users.user_id,
        users.name,
        'owner'
    from team
    cross join users
    where users.user_id = :user_id
    returning
        member_id,
        role
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id, after)
    select
        team.team_id,
        team.revision,
        owner.member_id,
        'teams.create',
        team.team_id,
        to_jsonb(team)
    from team
    cross join owner
)

select
    team.*,
    owner.*
from team
cross join owner;
