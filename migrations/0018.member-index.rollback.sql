drop index concurrently if exists entries_balance_idx;
create index concurrently entries_balance_idx on entries (team_id, member_id, currency) include (paid, owed);
drop index concurrently entries_member_idx;
