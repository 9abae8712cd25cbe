-- name: page_deleted(user_id, kept_seconds, after_id, size)
-- The deleted teams that the actor can restore, as in page, with the time until which that is possible.
select
    teams.team_id,
    teams.name,
    teams.currency,
    teams.time_zone,
    restorers.member_id,
    restorers.role,
    teams.revision,
    teams.archived_at,
    teams.closed_until,
    teams.deleted_at,
    teams.version,
    teams.created_at,
    teams.deleted_at + :kept_seconds * interval '1 second' as purge_at,
    (
        select coalesce(json_agg(json_build_object('currency', currency, 'net', net) order by currency), '[]'::json)
        from open_balances
        where
            open_balances.team_id = restorers.team_id
            and open_balances.member_id = restorers.member_id
    ) as balances
from restorers
inner join teams on restorers.team_id = teams.team_id
where
    restorers.user_id = :user_id
    and restorers.deleted_at > now() - :kept_seconds * interval '1 second'
    and restorers.team_id < :after_id::uuid
order by restorers.team_id desc
limit :size;
