-- depends: 0022.shown-changes

-- Lists say which of the team's revisions they are from, so that a client can ask whether there is another.
-- Columns of a view can only be added at its end.
create or replace view actors as
select -- noqa: ST06
    members.team_id,
    members.member_id,
    members.user_id,
    members.role,
    members.role in ('owner', 'admin', 'member') as can_record,
    members.role in ('owner', 'admin') as can_manage,
    teams.archived_at is not null as is_archived,
    teams.revision
from members
inner join teams on members.team_id = teams.team_id
where
    members.user_id is not null
    and members.left_at is null
    and teams.deleted_at is null;
