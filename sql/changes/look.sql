-- name: look(team_ids, user_ids)
-- The revisions of some teams, and, of some accounts, in how many teams they were and are.
select
    teams.team_id::text as id,
    teams.revision::text as state
from teams
where teams.team_id = any(:team_ids::uuid[])
union all
select
    members.user_id::text as id,
    count(*) || ':' || count(*) filter (where members.left_at is null) as state
from members
where members.user_id = any(:user_ids::uuid[])
group by members.user_id;
