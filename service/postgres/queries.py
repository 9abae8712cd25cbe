"""The queries of `sql/`, each a function: `sql/expenses/get.sql` is `queries.expenses.get`."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import aiosql
import asyncpg
from aiosql.adapters.asyncpg import AsyncPGAdapter
from aiosql.queries import Queries
from aiosql.query_loader import QueryLoader

from service.postgres.folders import folder

Record = asyncpg.Record

# What is returned: all rows, the first row or None, or its first value.
Method = Literal["fetch", "fetchrow", "fetchval"]


class Asked(Protocol):
    """What a query can be asked of."""

    async def ask(self, method: Method, name: str, sql: str, arguments: Sequence[Any]) -> Any:
        """Ask a query, which is called `name` where its time is counted: `expenses.get`."""


class Adapter(AsyncPGAdapter):
    """Passes queries on from aiosql, together with their names.

    aiosql's own adapter passes on the text alone. At each query it also looks for a pool's `acquire` among all names of
    what is asked, which takes longer than everything else that it does. The kinds of queries not here are not used.
    """

    async def select(
        self, asked: Asked, name: str, sql: str, parameters: Mapping[str, Any], _record_class: None = None
    ) -> AsyncIterator[Record]:
        """Yield all rows."""
        for row in await asked.ask("fetch", name, sql, self._arguments(name, parameters)):
            yield row

    async def select_one(
        self, asked: Asked, name: str, sql: str, parameters: Mapping[str, Any], _record_class: None = None
    ) -> Record | None:
        """Return the first row, or None."""
        row: Record | None = await asked.ask("fetchrow", name, sql, self._arguments(name, parameters))
        return row

    async def select_value(self, asked: Asked, name: str, sql: str, parameters: Mapping[str, Any]) -> Any:
        """Return the first value of the first row, or None."""
        return await asked.ask("fetchval", name, sql, self._arguments(name, parameters))

    def _arguments(self, name: str, parameters: Mapping[str, Any]) -> list[Any]:
        return [parameters[each] for each in self.var_sorted[name]]


# aiosql's types only know adapters that are not asynchronous.
_adapter: Any = Adapter
queries: Any = aiosql.from_path(folder("sql"), _adapter)


def query(name: str, sql: str) -> Callable[..., Any]:
    """Return a query called `name` (`expenses.get`) made from the text of its file, as those of `queries` are."""
    feature, verb = name.split(".")
    adapter = _adapter()
    loader = QueryLoader(adapter, None, attribute="__")
    loaded = Queries(adapter).load_from_list(loader.load_query_data_from_sql(sql, [feature]))
    made: Callable[..., Any] = getattr(loaded, verb)
    return made
