"""Teams: people who share expenses, with a default currency.

The creator is the first owner. `revision` counts the team's writes: whoever has seen a revision has seen all before it.
An archived team can be read but not written to; a deleted team is hidden from everybody.
"""
