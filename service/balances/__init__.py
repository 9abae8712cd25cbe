"""Balances: what every member paid, what they owe, and the net of both.

A positive net is to be received, a negative one to be paid. The nets of a team always sum to zero in every currency.
"""
