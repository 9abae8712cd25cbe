-- name: page(team_id, user_id, status, after_id, size)
-- A team's members in the order in which they first joined, after the one with the id `after_id`.
-- With no such row, there is one without an id: each row has the team's revision.
with
page as (
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
        and case :status::text
            when 'active' then left_at is null
            when 'former' then left_at is not null
            else true
        end
        and member_id > :after_id::uuid
    order by member_id
    limit :size
)

select
    page.*,
    actors.revision
from actors
left join page on true
where
    actors.team_id = :team_id
    and actors.user_id = :user_id
order by page.member_id;
