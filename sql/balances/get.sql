-- name: get(team_id, user_id, as_of)^
-- What every member paid, owes and is to receive (or, negative, to pay), by currency, at the team's revision; with `as_of`,
-- only by what was spent until that day. No row if the actor is not in the team. Active members without anything have
-- zero; former members are listed until they are settled.
with
team as (
    select
        teams.currency,
        teams.revision
    from actors
    inner join teams on actors.team_id = teams.team_id
    where
        actors.team_id = :team_id
        and teams.team_id = :team_id
        and actors.user_id = :user_id
),

used as (
    select distinct
        member_id,
        currency
    from totals
    where team_id = :team_id
),

counted as (select nearest_month_end(:as_of::date) as month_end),

-- The months until the one that ends next to `as_of`, and the days in between: too few, or too many. Without `as_of` all
-- months, and no days.
parts as (
    select
        totals.member_id,
        totals.currency,
        totals.paid,
        totals.owed
    from totals
    cross join counted
    where
        totals.team_id = :team_id
        and (:as_of is null or totals.month <= counted.month_end)
    union all
    select
        used.member_id,
        used.currency,
        case when :as_of > counted.month_end then days.paid else -days.paid end as paid,
        case when :as_of > counted.month_end then days.owed else -days.owed end as owed
    from
        used,
        counted,
        lateral (
            select
                coalesce(sum(entries.paid), 0) as paid,
                coalesce(sum(entries.owed), 0) as owed
            from entries
            where
                entries.team_id = :team_id
                and entries.member_id = used.member_id
                and entries.currency = used.currency
                and entries.spent_on > least(:as_of, counted.month_end)
                and entries.spent_on <= greatest(:as_of, counted.month_end)
        ) as days
    where :as_of is not null
),

balance as (
    select
        member_id,
        currency,
        sum(paid) as paid,
        sum(owed) as owed,
        sum(paid) - sum(owed) as net
    from parts
    group by member_id, currency
    having sum(paid) <> 0 or sum(owed) <> 0
)

select
    team.revision,
    not exists (
        select 1
        from balance
        where net <> 0
    ) as is_settled,
    (
        select
            coalesce(
                json_agg(
                    json_build_object(
                        'member_id', members.member_id,
                        'name', members.name,
                        'currency', coalesce(balance.currency, team.currency),
                        'paid', coalesce(balance.paid, 0),
                        'owed', coalesce(balance.owed, 0),
                        'net', coalesce(balance.net, 0),
                        'is_settled', coalesce(balance.net, 0) = 0
                    )
                    order by members.member_id, balance.currency
                ),
                '[]'::json
            )
        from members
        left join balance on members.member_id = balance.member_id
        where
            members.team_id = :team_id
            and (members.left_at is null or balance.net <> 0)
    ) as items
from team;
