"""The queries of `sql/` as functions: `sql/expenses/get.sql` is `queries.expenses.get`."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import aiosql
import asyncpg
from aiosql.adapters.asyncpg import AsyncPGAdapter
from aiosql.queries import Queries
from aiosql.query_loader import QueryLoader

from service.postgres.folders import folder

Record = asyncpg.Record

# The method decides what a query returns: all rows, the first row or None, or the first row's first value.
Method = Literal["fetch", "fetchrow", "fetchval"]


class Asked(Protocol):
    """A database or transaction on which a query can run."""

    async def ask(self, method: Method, name: str, sql: str, arguments: Sequence[Any]) -> Any:
        """Run a query; its time is counted under `name`, such as `expenses.get`."""


class Adapter(AsyncPGAdapter):
    """Passes queries from aiosql to the database, together with their names.

    aiosql's own adapter passes only the SQL. For each query, it also searches all attributes of the connection for a
    pool's `acquire`, which takes longer than everything else it does. Kinds of queries that are not used are left out.
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


class Loader(QueryLoader):
    """Reads the files. A file that begins with `-- like: NAME` is the file of that name with some text replaced."""

    def load_query_data_from_file(
        self, path: Path, ns_parts: list[str] | None = None, encoding: str | None = None
    ) -> list[Any]:
        """Return the query of a file."""
        loaded: list[Any] = self.load_query_data_from_sql(text_of(path, encoding), ns_parts or [], path)
        return loaded


def text_of(path: Path, encoding: str | None = None) -> str:
    """Return the text of a query's file. Raises ValueError if a text to replace does not occur exactly once."""
    text = path.read_text(encoding)
    if like := re.match(r"-- like: (\w+)$", text, re.MULTILINE):
        replacements = re.findall(r"^-- replace: (.+) with (.+)$", text, re.MULTILINE)
        text = text_of(path.with_stem(like[1]), encoding)
        for old, new in replacements:
            if text.count(old) != 1:
                raise ValueError(f"{path} replaces what is there {text.count(old)} times: {old}")
            text = text.replace(old, new)
    return text


# aiosql's types do not include asynchronous adapters.
_adapter: Any = Adapter
queries: Any = aiosql.from_path(folder("sql"), _adapter, loader_cls=Loader)


def query(name: str, sql: str) -> Callable[..., Any]:
    """Return a query made from the text of its file, as in `queries`; `name` is, for example, `expenses.get`."""
    feature, verb = name.split(".")
    adapter = _adapter()
    loader = QueryLoader(adapter, None, attribute="__")
    loaded = Queries(adapter).load_from_list(loader.load_query_data_from_sql(sql, [feature]))
    made: Callable[..., Any] = getattr(loaded, verb)
    return made
