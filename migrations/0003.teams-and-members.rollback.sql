drop view actors;
drop table members;
drop table teams;
