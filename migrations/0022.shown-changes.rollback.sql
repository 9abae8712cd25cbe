drop view shown_changes;
drop function shown_record(text, jsonb);
drop function shown_time(timestamptz);
