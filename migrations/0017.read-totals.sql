-- depends: 0016.fill-totals

alter table entries
alter column kind set not null,
alter column spent_on set not null;

-- What is not settled.
create or replace view open_balances as
select
    team_id,
    member_id,
    currency,
    sum(paid) - sum(owed) as net
from totals
group by team_id, member_id, currency
having sum(paid) <> sum(owed);

-- Where money is wrong: expenses whose entries do not come to them, or are of another currency, kind or day. It is empty,
-- unless somebody got around the triggers. Expense by expense, so that it takes no more memory the more there are.
create or replace view unbalanced_expenses as
select
    expenses.team_id,
    expenses.expense_id,
    expenses.currency,
    found.amount,
    found.paid,
    found.owed
from
    expenses,
    lateral (
        select
            case when expenses.deleted_at is null then expenses.amount else 0 end as amount,
            count(*) as number,
            coalesce(sum(entries.paid), 0) as paid,
            coalesce(sum(entries.owed), 0) as owed,
            coalesce(
                bool_and(
                    entries.currency = expenses.currency
                    and entries.kind = expenses.kind
                    and entries.spent_on = expenses.spent_on
                ),
                true
            ) as are_alike
        from entries
        where
            entries.team_id = expenses.team_id
            and entries.expense_id = expenses.expense_id
    ) as found
where
    found.paid <> found.amount
    or found.owed <> found.amount
    or not found.are_alike
    or (found.amount = 0 and found.number > 0);

-- Where totals are wrong: the sums of a member's entries in a month, and what is kept instead. It is empty, unless
-- somebody got around the triggers. Member by member, for the same reason.
create view wrong_totals as
select
    members.team_id,
    members.member_id,
    found.currency,
    found.kind,
    found.month,
    found.paid,
    found.owed,
    found.kept_paid,
    found.kept_owed
from
    members,
    lateral (
        with
        sides as (
            select
                currency,
                kind,
                month_of(spent_on) as month,
                paid,
                owed,
                0 as kept_paid,
                0 as kept_owed
            from entries
            where
                entries.team_id = members.team_id
                and entries.member_id = members.member_id
            union all
            select
                currency,
                kind,
                month,
                0,
                0,
                paid,
                owed
            from totals
            where
                totals.team_id = members.team_id
                and totals.member_id = members.member_id
        )

        select
            currency,
            kind,
            month,
            sum(paid) as paid,
            sum(owed) as owed,
            sum(kept_paid) as kept_paid,
            sum(kept_owed) as kept_owed
        from sides
        group by currency, kind, month
        having sum(paid) <> sum(kept_paid) or sum(owed) <> sum(kept_owed)
    ) as found;

-- The last audit counts these, too.
alter table audits add column wrong_totals bigint not null default 0;
