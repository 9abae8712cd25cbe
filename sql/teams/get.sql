-- name: get(team_id, user_id)^
-- One of the actor's teams, with the actor's own nets that are not zero.
select
    teams.team_id,
    teams.name,
    teams.currency,
    teams.time_zone,
    actors.member_id,
    actors.role,
    teams.revision,
    teams.archived_at,
    teams.closed_until,
    teams.version,
    teams.created_at,
    null::timestamptz as deleted_at,
    null::timestamptz as purge_at,
    (
        select coalesce(json_agg(json_build_object('currency', currency, 'net', net) order by currency), '[]'::json)
        from open_balances
        where
            open_balances.team_id = :team_id
            and open_balances.member_id = actors.member_id
    ) as balances
from actors
inner join teams on actors.team_id = teams.team_id
where
    actors.team_id = :team_id
    and actors.user_id = :user_id;
