alter table audits drop column wrong_totals;
drop view wrong_totals;

create or replace view unbalanced_expenses as
select
    expenses.team_id,
    expenses.expense_id,
    expenses.currency,
    case when expenses.deleted_at is null then expenses.amount else 0 end as amount,
    coalesce(sum(entries.paid), 0) as paid,
    coalesce(sum(entries.owed), 0) as owed
from expenses
left join entries on expenses.team_id = entries.team_id and expenses.expense_id = entries.expense_id
group by expenses.team_id, expenses.expense_id
having
    coalesce(sum(entries.paid), 0) <> case when expenses.deleted_at is null then expenses.amount else 0 end
    or coalesce(sum(entries.owed), 0) <> case when expenses.deleted_at is null then expenses.amount else 0 end
    or not coalesce(bool_and(entries.currency = expenses.currency), true);

create or replace view open_balances as
select
    team_id,
    member_id,
    currency,
    sum(paid) - sum(owed) as net
from entries
group by team_id, member_id, currency
having sum(paid) <> sum(owed);

alter table entries
alter column kind drop not null,
alter column spent_on drop not null;
