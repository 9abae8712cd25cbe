-- Nothing to take back: what was filled goes with its columns.
select;
