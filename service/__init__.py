"""The Team Expense Tracker API: who paid what for whom, and who owes whom."""

__version__ = "0.1.0"
