-- name: differences(team_ids)
-- What the members of some teams paid and owe by their entries, and by their totals, in those months in which the two
-- differ.
select
    team_id,
    member_id,
    currency,
    count(*) as months,
    sum(paid) as paid,
    sum(owed) as owed,
    sum(kept_paid) as kept_paid,
    sum(kept_owed) as kept_owed
from wrong_totals
where team_id = any(:team_ids::uuid[])
group by team_id, member_id, currency
order by team_id, member_id, currency;
