-- A column can only be removed together with the view.
drop view actors;
create view actors as
select
    members.team_id,
    members.member_id,
    members.user_id,
    members.role,
    members.role in ('owner', 'admin', 'member') as can_record,
    members.role in ('owner', 'admin') as can_manage,
    teams.archived_at is not null as is_archived
from members
inner join teams on members.team_id = teams.team_id
where
    members.user_id is not null
    and members.left_at is null
    and teams.deleted_at is null;
