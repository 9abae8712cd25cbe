-- name: is_known(team_id, user_id, feature, subject_id)$
-- Whether a team has, or ever had, a member, an expense or a settlement; runs after nothing was found of it.
select count(*) > 0
from actors
where
    actors.team_id = :team_id
    and actors.user_id = :user_id
    and (
        exists (
            select 1
            from members
            where
                members.team_id = :team_id
                and members.member_id = :subject_id
                and :feature = 'members'
        )
        or exists (
            select 1
            from expenses
            where
                expenses.team_id = :team_id
                and expenses.expense_id = :subject_id
                and :feature = case expenses.kind when 'settlement' then 'settlements' else 'expenses' end
        )
    );
