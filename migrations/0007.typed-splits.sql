-- depends: 0006.audits

-- What was typed of a split, beside the amounts that came out of it (`payers` and `participants`): who pays
-- (`{"payer": …}`, or `{"payers": [{member_id, amount}]}`), and `participants` with the fields of the split's mode. So a
-- change computes from what was typed, and a new mode needs no new column.
-- Empty only in rows that the release before wrote, while both were running.
alter table expenses add column typed jsonb;

update expenses
set
    typed = jsonb_build_object(
        'payer', payers -> 0 -> 'member_id',
        'participants',
        case
            when split = 'equal'
                then (
                    select jsonb_agg(listed.participant - 'amount' order by listed.number)
                    from jsonb_array_elements(participants) with ordinality as listed (participant, number)
                )
            else participants
        end
    );
