-- name: page(team_id, user_id, status, after_id, size)
-- A team's members in the order in which they first joined, after the one with the id `after_id`.
select
    member_id,
    user_id,
    name,
    role,
    joined_at,
    left_at,
    version
from members
where
    team_id = :team_id
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    )
    and case :status::text
        when 'active' then left_at is null
        when 'former' then left_at is not null
        else true
    end
    and member_id > :after_id::uuid
order by member_id
limit :size;
