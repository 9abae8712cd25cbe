-- depends: 0023.actors-revision
-- transactional: false

-- The history of one subject, and the filters of a team's activity, each newest first.
drop index concurrently if exists revisions_subject_idx;
create index concurrently revisions_subject_idx on revisions (team_id, subject_id, revision);
drop index concurrently if exists revisions_action_idx;
create index concurrently revisions_action_idx on revisions (team_id, action, revision);
drop index concurrently if exists revisions_actor_idx;
create index concurrently revisions_actor_idx on revisions (team_id, actor_id, action, revision);

-- Tells between which revisions a day is.
drop index concurrently if exists revisions_at_idx;
create index concurrently revisions_at_idx on revisions (team_id, at, revision);
