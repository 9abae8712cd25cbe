"""The actor's own account."""
