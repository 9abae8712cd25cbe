"""Teams: people who share expenses, in a currency of their own.

The creator is the first owner. `revision` counts the team's writes: whoever has seen a revision has seen all before it.
An archived team can be read but not written to; a deleted one is found by nobody.
"""
