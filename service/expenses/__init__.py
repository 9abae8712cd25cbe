"""Expenses: who paid what for whom.

An expense has an amount, one payer, and participants between whom it is split: equally, or by exact amounts. What was
typed is kept beside the shares computed from it. The ledger's entries follow from the expense: what each member paid
and what each owes. A deleted expense has no entries.
"""
