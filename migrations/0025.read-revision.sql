-- depends: 0024.history-indexes

-- Up to which of the team's revisions a member has seen its activity. A constant default rewrites no rows; the previous
-- release inserts without the column, and its changes leave it as it is.
alter table members add column read_revision bigint not null default 0;
alter table members add constraint members_read_revision_check check (read_revision >= 0) not valid;
