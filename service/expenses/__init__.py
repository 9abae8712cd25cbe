"""Expenses: who paid what for whom.

An expense has an amount, one or several payers, and participants between whom it is split: by what was typed for each
of them (modes.py), or by the items of a bill (itemised.py). What was typed is kept beside the shares computed from it.
The ledger's entries follow from the expense: what each member paid and what each owes. A deleted expense has no
entries.
"""
