-- depends: 0012.places-and-ended-sessions

-- Accounts, teams and members have versions, as expenses have: a change can name the one it is based on. A constant
-- default rewrites no rows. The previous release inserts without the column, and its changes leave it as it is.
alter table users add column version integer not null default 1;
alter table teams add column version integer not null default 1;
alter table members add column version integer not null default 1;
