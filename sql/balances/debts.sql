-- name: debts(team_id, user_id)^
-- Who owes whom, pair by pair, at the team's revision; no row if the actor is not in the team. In each expense, who owes
-- a part owes it to those who paid, in proportion. To whole units: the first members up to one, by their ids, owe the
-- first payers up to one the product of both parts, rounded down; a pair owes what it adds to that. So it comes to
-- exactly what each owes, and to what each paid.
with
team as (
    select teams.revision
    from actors
    inner join teams on actors.team_id = teams.team_id
    where
        actors.team_id = :team_id
        and teams.team_id = :team_id
        and actors.user_id = :user_id
),

-- Where one member paid all, each owes them their whole part. That is most of a ledger, and takes a fifth of the time.
owed_to_one as (
    select
        debtor.member_id as debtor_id,
        creditor.member_id as creditor_id,
        debtor.currency,
        sum(debtor.owed) as amount
    from expenses
    inner join entries as creditor
        on expenses.expense_id = creditor.expense_id and expenses.amount = creditor.paid
    inner join entries as debtor
        on expenses.expense_id = debtor.expense_id and creditor.member_id <> debtor.member_id
    where
        expenses.team_id = :team_id
        and creditor.team_id = :team_id
        and debtor.team_id = :team_id
        and expenses.deleted_at is null
        and exists (select 1 from team)
    group by debtor.member_id, creditor.member_id, debtor.currency
),

part as (
    select
        entries.expense_id,
        entries.member_id,
        entries.currency,
        entries.paid,
        entries.owed,
        expenses.amount,
        sum(entries.paid) over up_to_this as paid_to,
        sum(entries.owed) over up_to_this as owed_to
    from expenses
    inner join entries on expenses.expense_id = entries.expense_id
    where
        expenses.team_id = :team_id
        and entries.team_id = :team_id
        and expenses.deleted_at is null
        and not exists (
            select 1
            from entries as whole
            where
                whole.team_id = :team_id
                and whole.expense_id = expenses.expense_id
                and whole.paid = expenses.amount
        )
        and exists (select 1 from team)
    window up_to_this as (partition by entries.expense_id order by entries.member_id)
),

pair as (
    select
        debtor_id,
        creditor_id,
        currency,
        amount
    from owed_to_one
    union all
    select
        debtor.member_id,
        creditor.member_id,
        debtor.currency,
        div(debtor.owed_to * creditor.paid_to, debtor.amount)
        - div((debtor.owed_to - debtor.owed) * creditor.paid_to, debtor.amount)
        - div(debtor.owed_to * (creditor.paid_to - creditor.paid), debtor.amount)
        + div((debtor.owed_to - debtor.owed) * (creditor.paid_to - creditor.paid), debtor.amount)
    from part as debtor
    inner join part as creditor on debtor.expense_id = creditor.expense_id
    where
        debtor.owed > 0
        and creditor.paid > 0
        and debtor.member_id <> creditor.member_id
),

debt as (
    select
        currency,
        least(debtor_id, creditor_id) as first_id,
        greatest(debtor_id, creditor_id) as second_id,
        sum(case when debtor_id < creditor_id then amount else -amount end) as amount
    from pair
    group by first_id, second_id, currency
)

select
    team.revision,
    (
        select
            coalesce(
                json_agg(
                    json_build_object(
                        'from', case when amount > 0 then first_id else second_id end,
                        'to', case when amount > 0 then second_id else first_id end,
                        'currency', currency,
                        'amount', abs(amount)
                    )
                    order by first_id, second_id, currency
                ),
                '[]'::json
            )
        from debt
        where amount <> 0
    ) as items
from team;
