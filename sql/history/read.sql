-- name: read(team_id, user_id, revision, back)^
-- Set how far the actor has read a team's activity, unless that is beyond the team's revision, which is returned; it goes
-- back only if asked to. No row for an account that is not in the team.
with
reader as (
    select
        actors.member_id,
        teams.revision
    from actors
    inner join teams on actors.team_id = teams.team_id
    where
        actors.team_id = :team_id
        and actors.user_id = :user_id
        and teams.team_id = :team_id
),

marked as (
    update members
    set read_revision = :revision
    from reader
    where
        members.team_id = :team_id
        and members.member_id = reader.member_id
        and reader.revision >= :revision
        -- What is there already is not written again, and of two requests the later revision stays.
        and case when :back then members.read_revision <> :revision else members.read_revision < :revision end
    returning members.read_revision
)

select
    reader.revision as latest,
    marked.read_revision as written
from reader
left join marked on true;
