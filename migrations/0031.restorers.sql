-- depends: 0030.deleted-teams-index

-- Who can restore a deleted team: its owners. To everybody else there is no such team. Whoever asks adds for how long.
create view restorers as
select
    members.team_id,
    members.member_id,
    members.user_id,
    members.role,
    teams.deleted_at
from members
inner join teams on members.team_id = teams.team_id
where
    members.role = 'owner'
    and members.left_at is null
    and teams.deleted_at is not null;
