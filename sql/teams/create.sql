-- name: create(user_id, name, currency, time_zone)^
-- Add a team with the actor as its first member and owner. No row if the account was deleted. The day in the time zone is
-- asked for, so that one that PostgreSQL does not know is an error here.
with
team as (
    insert into teams (name, currency, time_zone)
    select
        :name,
        :currency,
        :time_zone
    from users
    where
        users.user_id = :user_id
        and (now() at time zone :time_zone) is not null
    returning
        team_id,
        name,
        currency,
        time_zone,
        revision,
        archived_at,
        closed_until,
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
    owner.*,
    null::timestamptz as deleted_at,
    null::timestamptz as purge_at,
    '[]'::json as balances
from team
cross join owner;
