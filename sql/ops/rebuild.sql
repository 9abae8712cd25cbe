-- name: rebuild(team_id)$
-- Make a team's totals what its entries come to; return how many there are. Runs while the team is locked.
with
sums as (
    select
        member_id,
        currency,
        kind,
        month_of(spent_on) as month,
        sum(paid) as paid,
        sum(owed) as owed
    from entries
    where team_id = :team_id
    group by member_id, currency, kind, month_of(spent_on)
),

dropped as (
    delete from totals
    where
        team_id = :team_id
        and (member_id, currency, kind, month) not in (
            select
                sums.member_id,
                sums.currency,
                sums.kind,
                sums.month
            from sums
        )
),

filled as (
    insert into totals (team_id, member_id, currency, kind, month, paid, owed)
    select
        :team_id,
        sums.member_id,
        sums.currency,
        sums.kind,
        sums.month,
        sums.paid,
        sums.owed
    from sums
    on conflict (team_id, member_id, currency, kind, month) do update
        set
            paid = excluded.paid,
            owed = excluded.owed
)

select count(*)
from sums;
