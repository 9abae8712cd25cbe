drop index concurrently revisions_at_idx;
drop index concurrently revisions_actor_idx;
drop index concurrently revisions_action_idx;
drop index concurrently revisions_subject_idx;
