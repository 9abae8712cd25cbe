-- depends: 0005.revisions

-- The last audit of the whole ledger: one row that the processes take turns to renew, and that all of them read.
create table audits (
    is_only boolean primary key default true,
    audited_at timestamptz,
    accounts bigint not null default 0,
    teams bigint not null default 0,
    expenses bigint not null default 0,
    settlements bigint not null default 0,
    unbalanced_teams bigint not null default 0,
    amounts jsonb not null default '{}',
    constraint audits_is_only_check check (is_only)
);

insert into audits default values;

-- Where money is wrong: expenses whose entries do not come to them. It is empty, unless somebody got around the triggers.
create view unbalanced_expenses as
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
