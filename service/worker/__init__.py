"""What needs a clock: tasks that find what is due and do it, once, however many processes look for it.

The command `worker` does them in a process of its own. Where `serve` has an embedded PostgreSQL, it does them itself.
"""
