-- name: page(user_id, status, after_id, size)
-- The actor's teams, newest first, after the one with the id `after_id`.
select
    teams.team_id,
    teams.name,
    teams.currency,
    actors.member_id,
    actors.role,
    teams.revision,
    teams.archived_at,
    teams.version,
    teams.created_at
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
