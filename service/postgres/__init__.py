"""PostgreSQL: the pool and the queries, migrations, the check of a server before the start, the embedded server."""
