-- name: explain(team_id, user_id, member_id, currency, after_key, after_id, size)
-- What a member's balances consist of, last spent first, after the position (`after_key`, `after_id`): the entries, each
-- with the member's net in its currency after it. A null currency is all of them. Reads a page of each currency, and what
-- a month has before it. With no such entry, there is one row without an id: each has the team's revision.
with
currencies as (
    select distinct totals.currency
    from totals
    where
        totals.team_id = :team_id
        and totals.member_id = :member_id
        and (:currency::text is null or totals.currency = :currency)
),

page as (
    select
        found.expense_id,
        currencies.currency,
        found.kind,
        found.spent_on,
        found.paid,
        found.owed
    from
        currencies,
        lateral (
            select
                entries.expense_id,
                entries.kind,
                entries.spent_on,
                entries.paid,
                entries.owed
            from entries
            where
                entries.team_id = :team_id
                and entries.member_id = :member_id
                and entries.currency = currencies.currency
                and (entries.spent_on, entries.expense_id) < (:after_key::date, :after_id::uuid)
                and (entries.paid > 0 or entries.owed > 0)
            order by entries.spent_on desc, entries.expense_id desc
            limit :size
        ) as found
    order by found.spent_on desc, found.expense_id desc
    limit :size
),

oldest as (
    select distinct on (currency)
        currency,
        spent_on,
        expense_id
    from page
    order by currency, spent_on, expense_id
),

-- Once for each currency.
opening as materialized (
    select
        oldest.currency,
        months.net + days.net as net
    from
        oldest,
        lateral (
            select coalesce(sum(totals.paid) - sum(totals.owed), 0) as net
            from totals
            where
                totals.team_id = :team_id
                and totals.member_id = :member_id
                and totals.currency = oldest.currency
                and totals.month < month_of(oldest.spent_on)
        ) as months,
        lateral (
            select coalesce(sum(entries.paid) - sum(entries.owed), 0) as net
            from entries
            where
                entries.team_id = :team_id
                and entries.member_id = :member_id
                and entries.currency = oldest.currency
                and entries.spent_on >= month_of(oldest.spent_on)
                and (entries.spent_on, entries.expense_id) < (oldest.spent_on, oldest.expense_id)
        ) as days
),

explained as (
    select
        page.expense_id,
        page.kind,
        expenses.description,
        page.spent_on,
        page.currency,
        page.paid,
        page.owed,
        page.paid - page.owed as net,
        -- As JSON, because it may be larger than a bigint.
        to_json(
            opening.net
            + sum(page.paid - page.owed) over (partition by page.currency order by page.spent_on, page.expense_id)
        ) as balance
    from page
    inner join opening on page.currency = opening.currency
    inner join expenses on page.expense_id = expenses.expense_id
    where expenses.team_id = :team_id
)

select
    explained.*,
    actors.revision
from actors
left join explained on true
where
    actors.team_id = :team_id
    and actors.user_id = :user_id
order by explained.spent_on desc, explained.expense_id desc;
