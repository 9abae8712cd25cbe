-- name: delete(team_id, user_id, revision)^
-- Mark a team as deleted, or return the refusal: it is hidden from everybody, but its rows stay. Runs while the team is
-- locked.
with
verdict as (
    select
        member_id,
        role,
        case when role <> 'owner' then 'owners-only' end as refusal
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
),

team as (
    update teams
    set deleted_at = now()
    from verdict
    where
        teams.team_id = :team_id
        and verdict.refusal is null
    returning teams.team_id
),

history as (
    insert into revisions (team_id, revision, actor_id, action, subject_id)
    select
        :team_id,
        :revision,
        verdict.member_id,
        'teams.delete',
        team.team_id
    from team
    cross join verdict
)

select
    refusal,
    role as actor_role
from verdict;
