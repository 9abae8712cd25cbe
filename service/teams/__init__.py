"""Teams: people who share expenses, with a default currency.

The creator is the first owner. `revision` counts the team's writes: whoever has seen a revision has seen all before it;
`version` counts the changes of the team itself. Nothing in an archived team's ledger can be recorded, changed or
deleted, nobody can be added, and its name, currency and time zone stay; but it holds nobody: members are changed and
removed, and leave, as ever. A deleted team is hidden from everybody but its owners, who can restore it for some days;
after that it is purged: nothing is left of it.
"""
