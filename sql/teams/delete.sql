-- name: delete(team_id, user_id)$
-- Mark a team as deleted: nobody finds it any more, its rows stay. Nothing unless the actor is an owner.
with
owner as (
    select
        team_id,
        member_id
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
        and role = 'owner'
),

team as (
    update teams
    set
        revision = teams.revision + 1,
        deleted_at = now()
    from owner
    where
        teams.team_id = :team_id
        and owner.team_id = teams.team_id
        and teams.deleted_at is null
    returning
        teams.team_id,
        teams.revision,
        owner.member_id
)

insert into revisions (team_id, revision, actor_id, action, subject_id)
select
    team.team_id,
    team.revision,
    team.member_id,
    'teams.delete',
    team.team_id
from team
returning team_id;
