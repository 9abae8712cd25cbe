-- depends: 0019.indexes-of-all-kinds

drop index expenses_spent_on_idx;
drop index expenses_created_at_idx;
drop index expenses_search_idx;
drop index expenses_category_idx;
alter index expenses_all_spent_on_idx rename to expenses_spent_on_idx;
alter index expenses_all_created_at_idx rename to expenses_created_at_idx;
alter index expenses_all_search_idx rename to expenses_search_idx;
alter index expenses_all_category_idx rename to expenses_category_idx;

-- An expense as the API shows it; `team_id` is there to ask by.
create or replace view live_expenses as
select
    team_id,
    expense_id,
    description,
    category,
    amount,
    currency,
    spent_on,
    notes,
    split,
    payers,
    participants,
    created_by,
    version,
    created_at,
    updated_at,
    kind,
    items,
    tax,
    tip,
    discount,
    external_id,
    metadata
from expenses
where deleted_at is null;

-- A settlement as the API shows it: what counts in the ledger, unless something else was handed over for it.
create view live_settlements as
select
    team_id,
    expense_id as settlement_id,
    kind,
    spent_on as settled_on,
    notes,
    external_id,
    metadata,
    created_by,
    version,
    created_at,
    updated_at,
    payers -> 0 ->> 'member_id' as "from",
    participants -> 0 ->> 'member_id' as "to",
    coalesce(handed_amount, amount) as amount,
    coalesce(handed_currency, currency) as currency,
    case
        when handed_amount is not null then json_build_object('amount', amount, 'currency', currency)
    end as settles
from expenses
where
    kind = 'settlement'
    and deleted_at is null;
