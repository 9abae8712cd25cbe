-- name: plan(team_id, user_id)
-- The team's revision with each open balance; the revision alone if there is none, and no row if the actor is not in the
-- team.
select
    teams.revision,
    open_balances.member_id,
    open_balances.currency,
    open_balances.net
from actors
inner join teams on actors.team_id = teams.team_id
left join open_balances on open_balances.team_id = :team_id
where
    actors.team_id = :team_id
    and teams.team_id = :team_id
    and actors.user_id = :user_id
order by open_balances.currency, open_balances.member_id;
