-- name: get(team_id, user_id)^
-- What every member paid, owes and is to receive (or, negative, to pay), by currency, at the team's revision; no row if
-- the actor is not in the team. Active members without entries have zero; former members are listed until they are
-- settled.
with
team as (
    select
        teams.currency,
        teams.revision
    from actors
    inner join teams on actors.team_id = teams.team_id
    where
        actors.team_id = :team_id
        and teams.team_id = :team_id
        and actors.user_id = :user_id
),

balance as (
    select
        member_id,
        currency,
        sum(paid) as paid,
        sum(owed) as owed,
        sum(paid) - sum(owed) as net
    from entries
    where team_id = :team_id
    group by member_id, currency
)

select
    team.revision,
    (
        select
            coalesce(
                json_agg(
                    json_build_object(
                        'member_id', members.member_id,
                        'name', members.name,
                        'currency', coalesce(balance.currency, team.currency),
                        'paid', coalesce(balance.paid, 0),
                        'owed', coalesce(balance.owed, 0),
                        'net', coalesce(balance.net, 0)
                    )
                    order by members.member_id, balance.currency
                ),
                '[]'::json
            )
        from members
        left join balance on members.member_id = balance.member_id
        where
            members.team_id = :team_id
            and (members.left_at is null or balance.net <> 0)
    ) as items
from team;
