-- name: page_by_spent_on(team_id, user_id, kinds, payer, participant, category, spent_from, spent_to, q, external_id, metadata, after_key, after_id, look_at, size)
-- A team's live expenses of some kinds, last spent first, after the position (`after_key`, `after_id`); null filters do
-- nothing. Looks at no more than `look_at` expenses between the days, so it may miss what matches rarely.
-- With no such row, there is one without an id: each row has the team's revision.
with
page as (
    select live_expenses.*
    from (
        select live_expenses.*
        from live_expenses
        where
            team_id = :team_id
            and (:spent_from::date is null or spent_on >= :spent_from)
            and (:spent_to::date is null or spent_on <= :spent_to)
            and (spent_on, expense_id) < (:after_key::date, :after_id::uuid)
        order by spent_on desc, expense_id desc
        limit :look_at
    ) as live_expenses
    where
        live_expenses.team_id = :team_id
        and live_expenses.kind = any(:kinds::text[])
        and (
            :payer::uuid is null
            or live_expenses.payers @> jsonb_build_array(jsonb_build_object('member_id', :payer::uuid))
        )
        and (
            :participant::uuid is null
            or live_expenses.participants @> jsonb_build_array(jsonb_build_object('member_id', :participant::uuid))
        )
        and (:category::text is null or live_expenses.category = :category)
        and (:q::text is null or strpos(fold_case(live_expenses.description), fold_case(:q)) > 0)
        and (:external_id::text is null or live_expenses.external_id = :external_id)
        and (:metadata::jsonb is null or live_expenses.metadata @> :metadata)
    order by live_expenses.spent_on desc, live_expenses.expense_id desc
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
order by page.spent_on desc, page.expense_id desc;
