-- name: balances(user_id)^
-- The actor's own nets that are not zero, by team and currency, in the newest team first.
with
nets as (
    select
        actors.team_id,
        teams.name,
        actors.is_archived,
        actors.member_id,
        totals.currency,
        sum(totals.paid) - sum(totals.owed) as net
    from actors
    inner join teams on actors.team_id = teams.team_id
    inner join totals on actors.team_id = totals.team_id and actors.member_id = totals.member_id
    where actors.user_id = :user_id
    group by actors.team_id, teams.name, actors.is_archived, actors.member_id, totals.currency
    having sum(totals.paid) <> sum(totals.owed)
)

select
    coalesce(
        json_agg(
            json_build_object(
                'team_id', team_id,
                'team_name', name,
                'is_archived', is_archived,
                'member_id', member_id,
                'currency', currency,
                'net', net
            )
            order by team_id desc, currency asc
        ),
        '[]'::json
    ) as items
from nets;
