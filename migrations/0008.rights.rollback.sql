drop view live_expenses;
drop view open_balances;
drop view actors;

create view actors as
select
    members.team_id,
    members.member_id,
    members.user_id,
    members.role
from members
inner join teams on members.team_id = teams.team_id
where
    members.user_id is not null
    and members.left_at is null
    and teams.deleted_at is null;
