"""The constraints that PostgreSQL found violated, by their names."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from service.errors import Refusal


@contextmanager
def on_violation(constraint: str, *, raises: Refusal) -> Iterator[None]:
    """Turn the violation of a named constraint into a refusal."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        if not names(error, constraint):
            raise
        raise raises from error


def names(error: asyncpg.IntegrityConstraintViolationError, constraint: str) -> bool:
    """Return whether this constraint is the violated one.

    Citus passes on only the message of a shard, whose constraint names end with the shard's number.
    """
    if error.constraint_name:
        return bool(error.constraint_name == constraint)
    return re.search(rf"(?<!\w){re.escape(constraint)}(_[0-9]+)?(?!\w)", str(error)) is not None
