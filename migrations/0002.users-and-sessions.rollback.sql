drop table login_failures;
drop table sessions;
drop table users;
