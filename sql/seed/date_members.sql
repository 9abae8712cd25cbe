-- name: date_members(team_id)$
-- Date the joining and leaving of members by the team's revisions; the creator joined when the team was created.
update members
set
    joined_at = past.joined_at,
    left_at = past.left_at
from (
    select
        parties.member_id,
        max(revisions.at) filter (where revisions.action <> 'members.delete') as joined_at,
        max(revisions.at) filter (where revisions.action = 'members.delete') as left_at
    from members as parties
    inner join revisions on parties.team_id = revisions.team_id
    where
        parties.team_id = :team_id
        and (revisions.subject_id = parties.member_id or revisions.action = 'teams.create')
    group by parties.member_id
) as past
where
    members.team_id = :team_id
    and members.member_id = past.member_id
returning members.member_id;
