-- name: get(team_id, user_id, member_id)^
-- A member of one of the actor's teams, active or former.
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
    and member_id = :member_id
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    );
