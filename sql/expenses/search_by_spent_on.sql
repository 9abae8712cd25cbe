-- name: search_by_spent_on(team_id, kinds, payer, participant, category, spent_from, spent_to, q, external_id, metadata, after_key, after_id, look_at, candidates_max)^
-- What may match filters that match rarely, as an index finds it. `answered_by` is the filter by which at most
-- `candidates_max` expenses were found; null if there is none, and 'page' if no more than `look_at` expenses follow the
-- position.
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
    -- As in the index, so that a plan for any member uses it.
    order by currency
    limit :candidates_max + 1
),

by_text as materialized (
    select expense_id
    from expenses
    where
        :q::text is not null
        and team_id = :team_id
        and deleted_at is null
        and search_vector(team_id, description) @@ search_query(:team_id, :q)
    limit :candidates_max + 1
),

by_category as materialized (
    select expense_id
    from live_expenses
    where
        :category::text is not null
        and team_id = :team_id
        and category = :category
    limit :candidates_max + 1
),

by_external_id as materialized (
    select expense_id
    from live_expenses
    where
        :external_id::text is not null
        and team_id = :team_id
        and external_id = :external_id
),

by_metadata as materialized (
    select expense_id
    from expenses
    where
        :metadata::jsonb is not null
        and team_id = :team_id
        and deleted_at is null
        and metadata <> '{}'
        and metadata_terms(team_id, metadata) @> metadata_terms(:team_id, :metadata)
    limit :candidates_max + 1
),

by_kind as materialized (
    select expense_id
    from live_expenses
    where
        not 'expense' = any(:kinds::text[])
        and team_id = :team_id
        and kind = any(:kinds)
        and kind <> 'expense'
    limit :candidates_max + 1
),

by_day as materialized (
    select expense_id
    from live_expenses
    where
        coalesce(:spent_from::date, :spent_to::date) is not null
        and team_id = :team_id
        and spent_on >= coalesce(:spent_from, '-infinity'::date)
        and spent_on <= coalesce(:spent_to, 'infinity'::date)
    limit :candidates_max + 1
),

-- Only as many are asked as it takes.
chosen as materialized (
    select
        case
            when (select seen.number from seen) <= :look_at
                then 'page'
            when :external_id::text is not null
                then 'external_id'
            when
                :metadata::jsonb is not null
                and (select count(*) from by_metadata) <= :candidates_max
                then 'metadata'
            when
                coalesce(:participant::uuid, :payer::uuid) is not null
                and (select count(*) from by_member) <= :candidates_max
                then 'member'
            when :q::text is not null and (select count(*) from by_text) <= :candidates_max
                then 'text'
            when :category::text is not null and (select count(*) from by_category) <= :candidates_max
                then 'category'
            when not 'expense' = any(:kinds::text[]) and (select count(*) from by_kind) <= :candidates_max
                then 'kind'
            when
                coalesce(:spent_from::date, :spent_to::date) is not null
                and (select count(*) from by_day) <= :candidates_max
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
    select expense_id from by_external_id
    where (select chosen.answered_by from chosen) = 'external_id'
    union all
    select expense_id from by_metadata
    where (select chosen.answered_by from chosen) = 'metadata'
    union all
    select expense_id from by_kind
    where (select chosen.answered_by from chosen) = 'kind'
    union all
    select expense_id from by_day
    where (select chosen.answered_by from chosen) = 'day'
)

select
    chosen.answered_by,
    array(select candidates.expense_id from candidates) as candidates
from chosen;
