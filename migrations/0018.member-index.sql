-- depends: 0017.read-totals
-- transactional: false

-- A member's entries in a currency, by day: what explains a balance, adds up a part of a month, and finds the expenses of
-- a member. Nobody reads balances from the other one any more.
drop index concurrently if exists entries_member_idx;
create index concurrently entries_member_idx on entries (team_id, member_id, currency, spent_on, expense_id)
include (kind, paid, owed);
drop index concurrently if exists entries_balance_idx;
