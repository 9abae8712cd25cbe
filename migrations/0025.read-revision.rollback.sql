alter table members drop column read_revision;
