-- name: page_by_spent_on(team_id, user_id, payer, participant, category, spent_from, spent_to, q, after_key, after_id, size)
-- A team's live expenses, last spent first, after the position (`after_key`, `after_id`); null filters do nothing.
select live_expenses.*
from live_expenses
where
    live_expenses.team_id = :team_id
    and exists (
        select 1
        from actors
        where
            actors.team_id = :team_id
            and actors.user_id = :user_id
    )
    and (
        :payer::uuid is null
        or exists (
            select 1
            from entries
            where
                entries.team_id = :team_id
                and entries.expense_id = live_expenses.expense_id
                and entries.member_id = :payer
                and entries.paid > 0
        )
    )
    and (
        :participant::uuid is null
        or live_expenses.participants @> jsonb_build_array(jsonb_build_object('member_id', :participant::uuid))
    )
    and (:category::text is null or live_expenses.category = :category)
    and (:spent_from::date is null or live_expenses.spent_on >= :spent_from)
    and (:spent_to::date is null or live_expenses.spent_on <= :spent_to)
    and (:q::text is null or strpos(lower(live_expenses.description), lower(:q)) > 0)
    and (live_expenses.spent_on, live_expenses.expense_id) < (:after_key::date, :after_id::uuid)
order by live_expenses.spent_on desc, live_expenses.expense_id desc
limit :size;
