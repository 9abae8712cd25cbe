-- name: addable(team_id, email)^
-- What stands against adding an account: whether it exists, is in the team already, and how many are.
select
    exists(
        select 1
        from users
        where
            users.email = :email
            and users.deleted_at is null
    ) as has_account,
    exists(
        select 1
        from members
        inner join users on members.user_id = users.user_id
        where
            members.team_id = :team_id
            and members.left_at is null
            and users.email = :email
    ) as in_team,
    (
        select count(*)
        from members
        where
            members.team_id = :team_id
            and members.left_at is null
    ) as members;
