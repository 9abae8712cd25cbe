"""Who tries every route of a team, and what most are answered. Each endpoint's test has a row of its own, `ACCESS`."""

ACTORS = (
    "anonymous", "expired", "outsider", "former", "viewer", "member", "recorder", "admin", "owner", "foreign_owner",
)  # fmt: skip
ALL_ACCOUNTS = (401, 401, 200, 200, 200, 200, 200, 200, 200, 200)
READ = (401, 401, 404, 404, 200, 200, 200, 200, 200, 404)
