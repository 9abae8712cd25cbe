-- depends: 0015.totals
-- transactional: false

-- Dates the entries of before, which adds them to the totals. One team after the other, locked as by any write of it;
-- what was locked is let go after some thousand entries. If it is stopped, it goes on where it was. It stops at an expense
-- that its entries do not come to, and names it: docs/runbooks.md, LedgerUnbalanced, says what to do.
do $$
declare
    dated_team uuid;
    number_dated bigint;
    number_locked bigint := 0;
begin
    for dated_team in
        select team_id from teams order by team_id
    loop
        perform from teams
        where team_id = dated_team
        for no key update;

        update entries
        set
            kind = expenses.kind,
            spent_on = expenses.spent_on
        from expenses
        where
            entries.team_id = dated_team
            and expenses.team_id = dated_team
            and entries.expense_id = expenses.expense_id
            and entries.spent_on is null;

        get diagnostics number_dated = row_count;
        number_locked := number_locked + number_dated;
        if number_locked >= 10000 then
            commit;
            number_locked := 0;
        end if;
    end loop;
end
$$;
