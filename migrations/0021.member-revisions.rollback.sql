drop index concurrently members_account_idx;
drop index concurrently revisions_members_idx;
