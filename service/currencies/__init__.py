"""Currencies: those of ISO 4217 that a team or an expense can have."""
