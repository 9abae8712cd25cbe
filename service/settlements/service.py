"""The use cases of settlements. In the ledger, who paid has paid the amount, and who received it owes it."""

import datetime
from collections.abc import Mapping
from typing import Any

from service import access
from service.actor import Actor
from service.errors import NotFound, NotInPlan
from service.expenses import service as expenses
from service.expenses.checks import check_currency, check_day, current_of, open_formers
from service.metadata import merged
from service.postgres.pool import Connectable, Record, Transaction
from service.postgres.queries import queries
from service.read_only import check_read_only
from service.settlements.plan import Plan, Transfer, planned
from service.settlements.rows import columns_of, shown

# What lists that show settlements beside expenses say of them.
description = "Settlement"


async def create(
    db: Connectable, actor: Actor, team_id: str, *, currency: str | None = None, dry_run: bool = False, **details: Any
) -> Record:
    """Record that one member has paid another; or, with `dry_run`, return what would be recorded.

    The details are those of `record`; the currency is the team's by default. Raises what `record` raises.
    """
    async with db.transaction(team_id, dry_run=dry_run) as transaction:
        team = access.granted(await queries.expenses.prepare(transaction, team_id=team_id, user_id=actor.user_id))
        return await record(transaction, actor, team_id, team, currency=currency or team["currency"], **details)


async def record(
    transaction: Transaction,
    actor: Actor,
    team_id: str,
    team: Record,
    *,
    from_id: str,
    to_id: str,
    amount: int,
    currency: str,
    settles: Mapping[str, Any] | None = None,
    settled_on: datetime.date | None = None,
    notes: str | None = None,
    external_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Record:
    """Record a settlement in a transaction that holds the team's lock; `team` is what expenses.prepare returned.

    Raises Invalid for a currency that is neither in ISO 4217 nor in the team's ledger, a day out of range, and somebody
    who is neither an active member nor a former one with an open balance; ExternalIdTaken.
    """
    await _check_currencies(transaction, team_id, currency, settles)
    check_day(settled_on, team["today"], "/settled_on")
    former_ids = await open_formers(transaction, team_id, {from_id, to_id}.difference(team["active_ids"]))
    wanted = {"from_id": from_id, "to_id": to_id, "amount": amount, "currency": currency, "settles": settles}
    columns = columns_of(wanted, {*team["active_ids"], *former_ids})
    access.granted(
        await queries.expenses.create(
            transaction,
            team_id=team_id,
            user_id=actor.user_id,
            revision=team["revision"],
            expense_id=team["expense_id"],
            kind="settlement",
            description=description,
            category=None,
            spent_on=settled_on or team["today"],
            notes=notes,
            external_id=external_id,
            metadata=metadata or {},
            everybody=None,
            former_ids=former_ids,
            **columns,
        )
    )
    return await get(transaction, actor, team_id, team["expense_id"])


async def page(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    sort: str,
    limit: int,
    after: tuple[Any, str],
    from_id: str | None = None,
    to_id: str | None = None,
    member: str | None = None,
    settled_from: datetime.date | None = None,
    settled_to: datetime.date | None = None,
    external_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> access.Listed:
    """Return a team's settlements after the position `after`, newest first: up to `limit`, and one more if there are.

    `after` is a day or a time, depending on `sort`, and a settlement's id. A filter that is None does not filter.
    """
    after_key, after_id = after
    page_of = queries.settlements.page_by_settled_on if sort == "settled_on" else queries.settlements.page_by_created_at
    rows = page_of(
        db,
        team_id=team_id,
        user_id=actor.user_id,
        from_id=from_id,
        to_id=to_id,
        member=member,
        settled_from=settled_from,
        settled_to=settled_to,
        external_id=external_id,
        metadata=metadata,
        after_key=after_key,
        after_id=after_id,
        size=limit + 1,
    )
    return await access.listed(rows, "settlement_id")


async def get(db: Connectable, actor: Actor, team_id: str, settlement_id: str) -> Record:
    """Return a live settlement."""
    settlement: Record | None = await queries.settlements.get(
        db, team_id=team_id, user_id=actor.user_id, settlement_id=settlement_id
    )
    if settlement is None:
        raise NotFound("There is no such settlement, or you are not in the team.")
    return settlement


async def update(
    db: Connectable,
    actor: Actor,
    team_id: str,
    settlement_id: str,
    *,
    versions: list[int] | None,
    read_only: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    **changes: Any,
) -> Record:
    """Change a settlement if its version is in `versions`, or `versions` is None; or, with `dry_run`, only try it.

    Members may change what they recorded, admins everything. Raises PreconditionFailed, and Invalid as `create` does,
    or for a field in `read_only` that is not as it is stored.
    """
    async with db.transaction(team_id, dry_run=dry_run) as transaction:
        revision = await access.lock(transaction, actor, team_id)
        current = await current_of(
            transaction, actor, team_id, settlement_id, versions=versions, changes=changes, is_settlement=True
        )
        before = shown(current)
        check_read_only(read_only, before)
        after = before | changes
        await _check_currencies(transaction, team_id, after["currency"], after["settles"])
        if after["settled_on"] != before["settled_on"]:
            check_day(after["settled_on"], current["today"], "/settled_on")
        allowed = {*current["active_ids"], before["from_id"], before["to_id"]}
        former_ids = await open_formers(transaction, team_id, {after["from_id"], after["to_id"]} - allowed)
        await queries.expenses.update(
            transaction,
            team_id=team_id,
            actor_id=current["actor_id"],
            revision=revision,
            expense_id=settlement_id,
            kind="settlement",
            description=description,
            category=None,
            spent_on=after["settled_on"],
            notes=after["notes"],
            external_id=after["external_id"],
            metadata=merged(before["metadata"], changes.get("metadata", {})),
            **columns_of(after, allowed.union(former_ids)),
        )
        return await get(transaction, actor, team_id, settlement_id)


async def plan(db: Connectable, actor: Actor, team_id: str) -> dict[str, Any]:
    """Return the transfers that would settle the team as `items`, whether they are the `fewest`, and the `revision`."""
    revision, plans = await _planned(db, actor, team_id)
    return {
        "revision": revision,
        "fewest": all(each.is_fewest for each in plans.values()),
        "items": [
            {"from": each.from_id, "to": each.to_id, "amount": each.amount, "currency": currency}
            for currency, found in plans.items()
            for each in found.transfers
        ],
    }


async def transfer(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    versions: list[int] | None,
    from_id: str,
    to_id: str,
    amount: int,
    currency: str,
    dry_run: bool = False,
    **details: Any,
) -> Record:
    """Record a transfer of the settlement plan, if the team's revision is in `versions`, or `versions` is None.

    Raises PreconditionFailed, NotInPlan, and what `create` does.
    """
    async with db.transaction(team_id, dry_run=dry_run) as transaction:
        team = access.granted(await queries.expenses.prepare(transaction, team_id=team_id, user_id=actor.user_id))
        # The lock counted this write already.
        read = team["revision"] - 1
        if versions is not None and read not in versions:
            raise access.outdated(versions, read)
        _, plans = await _planned(transaction, actor, team_id)
        if currency not in plans or Transfer(from_id, to_id, amount) not in plans[currency].transfers:
            raise NotInPlan
        return await record(
            transaction,
            actor,
            team_id,
            team,
            from_id=from_id,
            to_id=to_id,
            amount=amount,
            currency=currency,
            **details,
        )


async def _planned(db: Connectable, actor: Actor, team_id: str) -> tuple[int, dict[str, Plan]]:
    """Return the team's revision, and the plan for each currency in which something is open."""
    rows = [row async for row in queries.settlements.plan(db, team_id=team_id, user_id=actor.user_id)]
    revision: int = access.found(rows[0] if rows else None)["revision"]
    nets: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["currency"]:
            nets.setdefault(row["currency"], {})[row["member_id"]] = int(row["net"])
    return revision, await planned(nets)


async def delete(
    db: Connectable, actor: Actor, team_id: str, settlement_id: str, *, versions: list[int] | None
) -> None:
    """Remove a settlement from the ledger. Raises what `update` raises."""
    await expenses.delete(db, actor, team_id, settlement_id, versions=versions, is_settlement=True)


async def _check_currencies(
    transaction: Transaction, team_id: str, currency: str, settles: Mapping[str, Any] | None
) -> None:
    await check_currency(transaction, team_id, currency)
    if settles:
        await check_currency(transaction, team_id, settles["currency"], "/settles/currency")
