-- depends: 0026.closed-until
-- transactional: false

-- Finds the deleted teams, those first that were deleted first.
drop index concurrently if exists teams_deleted_at_idx;
create index concurrently teams_deleted_at_idx on teams (deleted_at) where deleted_at is not null;
