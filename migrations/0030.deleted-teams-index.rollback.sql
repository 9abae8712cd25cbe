drop index concurrently teams_deleted_at_idx;
