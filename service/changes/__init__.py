"""What was written to a team, revision by revision, for clients that keep a copy; and waiting for the next."""
