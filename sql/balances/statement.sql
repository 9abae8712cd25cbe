-- name: statement(team_id, user_id, member_id, from_day, to_day, after_key, after_id, size)
-- The account of a member, or of the actor if it is null, from one day to another (null is no limit), first spent first,
-- after the position (`after_key`, `after_id`): the entries, each with the member's net in its currency after it; and beside them in `balances`, by
-- currency, the net before the first day, what was paid and owed between the days, and the net at their end. With no such
-- entry, there is one row without an id. Reads a page of each currency, and what a month has before it and before each day.
with
who as materialized (
    select
        members.member_id,
        members.name,
        actors.revision
    from actors
    inner join members on actors.team_id = members.team_id
    where
        actors.team_id = :team_id
        and actors.user_id = :user_id
        and members.team_id = :team_id
        and members.member_id = coalesce(:member_id, actors.member_id)
),

currencies as (
    select distinct totals.currency
    from totals
    where
        totals.team_id = :team_id
        and totals.member_id = (select who.member_id from who)
),

-- Once for each currency and each of the two days; what is until the end of a day is before the next.
limits as materialized (
    select
        currencies.currency,
        days.is_end,
        months.paid + parts.paid as paid,
        months.owed + parts.owed as owed
    from
        currencies,
        (
            values
            (false, coalesce(:from_day::date, '-infinity')),
            (true, coalesce(:to_day::date + 1, 'infinity'))
        ) as days (is_end, day),
        lateral (
            select
                coalesce(sum(totals.paid), 0) as paid,
                coalesce(sum(totals.owed), 0) as owed
            from totals
            where
                totals.team_id = :team_id
                and totals.member_id = (select who.member_id from who)
                and totals.currency = currencies.currency
                and totals.month < case when isfinite(days.day) then month_of(days.day) else days.day end
        ) as months,
        lateral (
            select
                coalesce(sum(entries.paid), 0) as paid,
                coalesce(sum(entries.owed), 0) as owed
            from entries
            where
                entries.team_id = :team_id
                and entries.member_id = (select who.member_id from who)
                and entries.currency = currencies.currency
                and entries.spent_on >= case when isfinite(days.day) then month_of(days.day) else days.day end
                and entries.spent_on < days.day
        ) as parts
),

balances as (
    select
        opening.currency,
        opening.paid - opening.owed as opening,
        closing.paid - opening.paid as paid,
        closing.owed - opening.owed as owed,
        closing.paid - closing.owed as closing
    from limits as opening
    inner join limits as closing on opening.currency = closing.currency
    where
        not opening.is_end
        and closing.is_end
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
                and entries.member_id = (select who.member_id from who)
                and entries.currency = currencies.currency
                and entries.spent_on >= coalesce(:from_day::date, '-infinity')
                and entries.spent_on <= coalesce(:to_day::date, 'infinity')
                and (entries.spent_on, entries.expense_id) > (:after_key::date, :after_id::uuid)
                and (entries.paid > 0 or entries.owed > 0)
            order by entries.spent_on, entries.expense_id
            limit :size
        ) as found
    order by found.spent_on, found.expense_id
    limit :size
),

first as (
    select distinct on (currency)
        currency,
        spent_on,
        expense_id
    from page
    order by currency, spent_on, expense_id
),

-- Once for each currency.
before as materialized (
    select
        first.currency,
        months.net + days.net as net
    from
        first,
        lateral (
            select coalesce(sum(totals.paid) - sum(totals.owed), 0) as net
            from totals
            where
                totals.team_id = :team_id
                and totals.member_id = (select who.member_id from who)
                and totals.currency = first.currency
                and totals.month < month_of(first.spent_on)
        ) as months,
        lateral (
            select coalesce(sum(entries.paid) - sum(entries.owed), 0) as net
            from entries
            where
                entries.team_id = :team_id
                and entries.member_id = (select who.member_id from who)
                and entries.currency = first.currency
                and entries.spent_on >= month_of(first.spent_on)
                and (entries.spent_on, entries.expense_id) < (first.spent_on, first.expense_id)
        ) as days
),

listed as (
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
            before.net
            + sum(page.paid - page.owed) over (partition by page.currency order by page.spent_on, page.expense_id)
        ) as balance
    from page
    inner join before on page.currency = before.currency
    inner join expenses on page.expense_id = expenses.expense_id
    where expenses.team_id = :team_id
)

select
    listed.*,
    who.revision,
    who.member_id,
    who.name,
    (
        select
            coalesce(
                json_agg(
                    json_build_object(
                        'currency', balances.currency,
                        'opening', balances.opening,
                        'paid', balances.paid,
                        'owed', balances.owed,
                        'closing', balances.closing
                    )
                    order by balances.currency
                ),
                '[]'::json
            )
        from balances
    ) as balances
from who
left join listed on true
order by listed.spent_on, listed.expense_id;
