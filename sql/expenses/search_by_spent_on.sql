-- name: search_by_spent_on(team_id, user_id, payer, participant, category, spent_from, spent_to, q, after_key, after_id, look_at, size)
-- As page_by_spent_on, for filters that match rarely: an index finds what may match. The first row's `answered_by` is
-- the filter that found at most `look_at` expenses; null if none did, and 'page' if that page looked at all there are.
-- That row has an expense only if one was found.
with
seen as (
    select count(*) as number
    from (
        select 1
        from live_expenses as next
        where
            next.team_id = :team_id
            and (:spent_from::date is null or next.spent_on >= :spent_from)
            and (:spent_to::date is null or next.spent_on <= :spent_to)
            and (next.spent_on, next.expense_id) < (:after_key::date, :after_id::uuid)
        limit :look_at + 1
    ) as next
),

by_member as materialized (
    select expense_id
    from entries
    where
        coalesce(:participant::uuid, :payer::uuid) is not null
        and team_id = :team_id
        and member_id = coalesce(:participant, :payer)
        and (:participant::uuid is not null or paid > 0)
    -- As in the index of balances, so that a plan for any member uses it.
    order by currency
    limit :look_at + 1
),

by_text as materialized (
    select expense_id
    from expenses
    where
        :q::text is not null
        and team_id = :team_id
        and deleted_at is null
        and kind = 'expense'
        and search_vector(team_id, description) @@ search_query(:team_id, :q)
    limit :look_at + 1
),

by_category as materialized (
    select expense_id
    from live_expenses
    where
        :category::text is not null
        and team_id = :team_id
        and category = :category
    limit :look_at + 1
),

by_day as materialized (
    select expense_id
    from live_expenses
    where
        coalesce(:spent_from::date, :spent_to::date) is not null
        and team_id = :team_id
        and spent_on >= coalesce(:spent_from, '-infinity'::date)
        and spent_on <= coalesce(:spent_to, 'infinity'::date)
    limit :look_at + 1
),

-- Only as many are asked as it takes.
chosen as materialized (
    select
        case
            when (select seen.number from seen) <= :look_at
                then 'page'
            when
                coalesce(:participant::uuid, :payer::uuid) is not null
                and (select count(*) from by_member) <= :look_at
                then 'member'
            when :q::text is not null and (select count(*) from by_text) <= :look_at
                then 'text'
            when :category::text is not null and (select count(*) from by_category) <= :look_at
                then 'category'
            when
                coalesce(:spent_from::date, :spent_to::date) is not null
                and (select count(*) from by_day) <= :look_at
                then 'day'
        end as answered_by
),

candidates as (
    select expense_id from by_member
    where (select chosen.answered_by from chosen) = 'member'
    union all
    select expense_id from by_text
    where (select chosen.answered_by from chosen) = 'text'
    union all
    select expense_id from by_category
    where (select chosen.answered_by from chosen) = 'category'
    union all
    select expense_id from by_day
    where (select chosen.answered_by from chosen) = 'day'
),

found as (
    select live_expenses.*
    from candidates
    cross join
        lateral (
            select live_expenses.*
            from live_expenses
            where
                team_id = :team_id
                and expense_id = candidates.expense_id
            -- Keeps the planner from reading the whole team instead.
            offset 0
        ) as live_expenses
    where
        exists (
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
        and (:q::text is null or strpos(fold_case(live_expenses.description), fold_case(:q)) > 0)
        and (live_expenses.spent_on, live_expenses.expense_id) < (:after_key::date, :after_id::uuid)
    order by live_expenses.spent_on desc, live_expenses.expense_id desc
    limit :size
)

select
    found.*,
    chosen.answered_by
from chosen
left join found on true
order by found.spent_on desc, found.expense_id desc;
