-- name: date_history(team_id)$
-- Copy the dates of teams, members and expenses into the records that the revisions hold.
update revisions
set
    after = revisions.after || coalesce(
        (
            select jsonb_build_object('created_at', expenses.created_at, 'updated_at', expenses.updated_at)
            from expenses
            where
                expenses.team_id = :team_id
                and expenses.expense_id = revisions.subject_id
        ),
        (
            select
                jsonb_build_object(
                    'joined_at', members.joined_at,
                    'left_at', case when revisions.action = 'members.delete' then members.left_at end
                )
            from members
            where
                members.team_id = :team_id
                and members.member_id = revisions.subject_id
        ),
        (
            select jsonb_build_object('created_at', teams.created_at)
            from teams
            where
                teams.team_id = :team_id
                and revisions.subject_id = :team_id
        )
    )
where revisions.team_id = :team_id
returning revisions.revision;
