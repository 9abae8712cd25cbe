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

-- The end of a month that is next to `as_of`, and whether the days in between are too few (1) or too many (-1). Without
-- `as_of` no month is after it. Apart, so that one plan is as good with it as without.
counted as materialized (
    select
        :as_of::date as day,
        coalesce(nearest_month_end(:as_of), 'infinity') as month_end,
        case when :as_of > nearest_month_end(:as_of) then 1 else -1 end as sign
),

-- In the order of their index.
months as (
    select
        totals.member_id,
        totals.currency,
        coalesce(sum(totals.paid) filter (where totals.month <= (select month_end from counted)), 0) as paid,
        coalesce(sum(totals.owed) filter (where totals.month <= (select month_end from counted)), 0) as owed
    from totals
    where totals.team_id = :team_id
    group by totals.member_id, totals.currency
),

balance as (
    select
        months.member_id,
        months.currency,
        months.paid + counted.sign * days.paid as paid,
        months.owed + counted.sign * days.owed as owed,
        months.paid - months.owed + counted.sign * (days.paid - days.owed) as net
    from
        months,
        counted,
        lateral (
            select
                coalesce(sum(entries.paid), 0) as paid,
                coalesce(sum(entries.owed), 0) as owed
            from entries
            where
                entries.team_id = :team_id
                and entries.member_id = months.member_id
                and entries.currency = months.currency
                and entries.spent_on > least(counted.day, counted.month_end)
                and entries.spent_on <= greatest(counted.day, counted.month_end)
                and counted.day is not null
        ) as days
    where
        months.paid + counted.sign * days.paid <> 0
        or months.owed + counted.sign * days.owed <> 0
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
