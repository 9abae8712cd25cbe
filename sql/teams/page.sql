-- name: page(user_id, status, after_id, size)
-- The actor's teams, newest first, after the one with the id `after_id`, with the actor's own nets that are not zero.
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
            open_balances.team_id = actors.team_id
            and open_balances.member_id = actors.member_id
    ) as balances
from actors
inner join teams on actors.team_id = teams.team_id
where
    actors.user_id = :user_id
    and case :status::text
        when 'active' then not actors.is_archived
        when 'archived' then actors.is_archived
        else true
    end
    and actors.team_id < :after_id::uuid
order by actors.team_id desc
limit :size;
