-- depends: 0020.lists-of-all-kinds
-- transactional: false

-- The revisions that are about members, who are few: when somebody left, which is how far they follow the team's changes,
-- and what the owner was who made the team.
drop index concurrently if exists revisions_members_idx;
create index concurrently revisions_members_idx on revisions (team_id, subject_id, revision)
where action like 'members.%';

-- All teams that an account is or was in; the other one has only those that it is in.
drop index concurrently if exists members_account_idx;
create index concurrently members_account_idx on members (user_id) where user_id is not null;
