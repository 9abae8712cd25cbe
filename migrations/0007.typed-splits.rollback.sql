alter table expenses drop column typed;
