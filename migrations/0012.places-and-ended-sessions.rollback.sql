drop trigger sessions_ended on sessions;
drop function note_ended_session();
drop table ended_sessions;
drop table login_places;
