drop view unbalanced_expenses;
drop table audits;
