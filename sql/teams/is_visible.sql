-- name: is_visible(team_id, user_id)$
-- Whether the actor is in a team; runs after a read found nothing in it.
select exists(
    select 1
    from actors
    where
        team_id = :team_id
        and user_id = :user_id
);
