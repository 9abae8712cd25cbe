alter table members drop column version;
alter table teams drop column version;
alter table users drop column version;
