-- name: unbalanced(team_ids)
-- How many expenses of some teams their entries do not come to, by team and currency, with one of each.
select
    team_id,
    currency,
    count(*) as expenses,
    min(expense_id::text) as example
from unbalanced_expenses
where team_id = any(:team_ids::uuid[])
group by team_id, currency
order by team_id, currency;
