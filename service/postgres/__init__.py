"""PostgreSQL: the pool and the queries, migrations, the look at a server before the start, the embedded server."""
