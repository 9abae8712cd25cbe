drop view parties;
drop table entries;
drop table expenses;
drop function check_entries();
