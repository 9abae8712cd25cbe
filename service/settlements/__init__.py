"""Settlements: payments between two members, and the plan of those that would settle everything.

A settlement counts in the balances and never as spending. It has its row among the expenses, by its kind.
"""
