drop view restorers;
