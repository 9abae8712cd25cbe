-- name: state(team_id, user_id)^
-- What the answers about a team depend on: its revision, and how far the actor has read its activity. No row for an
-- account that is not in the team.
select
    teams.revision,
    teams.version,
    members.read_revision as read
from members
inner join teams on members.team_id = teams.team_id
where
    members.team_id = :team_id
    and teams.team_id = :team_id
    and members.user_id = :user_id
    and members.left_at is null
    and teams.deleted_at is null;
