-- name: date_revisions(team_id, times)$
-- Set when each revision of a team was written; the first one created the team.
with
dated as (
    update revisions
    set at = past.at
    from unnest(:times::timestamptz[]) with ordinality as past (at, revision)
    where
        revisions.team_id = :team_id
        and revisions.revision = past.revision
    returning
        revisions.at,
        revisions.action
)

update teams
set created_at = dated.at
from dated
where
    teams.team_id = :team_id
    and dated.action = 'teams.create'
returning teams.team_id;
