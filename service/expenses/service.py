"""The use cases of expenses."""

import datetime
from collections.abc import Mapping
from typing import Any

import orjson

from service import access
from service.actor import Actor
from service.errors import NotFound
from service.expenses.checks import check_currency, check_day, current_of, open_formers
from service.expenses.splits import Division, divide, named, retyped
from service.metadata import merged
from service.postgres.pool import Connectable, Record, Transaction
from service.postgres.queries import queries
from service.read_only import check_read_only

# A page with filters looks at so many expenses before it asks the indexes: these are faster for what matches rarely.
looked_at_max = 500
# The indexes may find so many: filters that match more often soon fill a page.
candidates_max = 2000

columns = (
    "kind",
    "description",
    "amount",
    "currency",
    "spent_on",
    "category",
    "notes",
    "external_id",
)


async def create(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    description: str,
    amount: int,
    kind: str = "expense",
    currency: str | None = None,
    spent_on: datetime.date | None = None,
    category: str | None = None,
    notes: str | None = None,
    external_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    payer: str | None = None,
    payers: list[dict[str, Any]] | None = None,
    split: str = "equal",
    participants: list[dict[str, Any]] | None = None,
    items: list[dict[str, Any]] | None = None,
    tax: int | None = None,
    tip: int | None = None,
    discount: int | None = None,
    dry_run: bool = False,
) -> Record:
    """Record an expense or an income; or, with `dry_run`, return what would be recorded.

    Two statements: the first locks the team and returns what the split needs, the second decides and writes. Raises
    Invalid for a currency that is neither in ISO 4217 nor in the team's ledger, for a day out of range, and if the
    split does not add up to the amount or names somebody who is neither an active member nor a former one with an open
    balance; ExternalIdTaken; Conflict if the members changed in between.
    """
    async with db.transaction(team_id, dry_run=dry_run) as transaction:
        team = access.granted(await queries.expenses.prepare(transaction, team_id=team_id, user_id=actor.user_id))
        if currency not in {None, team["currency"]}:
            await check_currency(transaction, team_id, currency)
        check_day(spent_on, team["today"])
        payer = payer or team["member_id"]
        others = named(payer, payers, participants, items).difference(team["active_ids"])
        former_ids = await open_formers(transaction, team_id, others)
        division = divide(
            seed_of(team_id, team["revision"]),
            amount,
            split=split,
            payer=payer,
            payers=payers,
            participants=participants,
            items=items,
            tax=tax,
            tip=tip,
            discount=discount,
            allowed={*team["active_ids"], *former_ids},
            everybody=team["everybody"],
        )
        return access.granted(
            await queries.expenses.create(
                transaction,
                team_id=team_id,
                user_id=actor.user_id,
                revision=team["revision"],
                expense_id=team["expense_id"],
                kind=kind,
                description=description,
                category=category,
                amount=amount,
                currency=currency or team["currency"],
                handed_amount=None,
                handed_currency=None,
                spent_on=spent_on or team["today"],
                notes=notes,
                external_id=external_id,
                metadata=metadata or {},
                everybody=team["everybody"] if division.is_by_default else None,
                former_ids=former_ids,
                **division.columns(kind),
            )
        )


async def page(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    sort: str,
    limit: int,
    after: tuple[Any, str],
    kind: str | None = None,
    payer: str | None = None,
    participant: str | None = None,
    category: str | None = None,
    spent_from: datetime.date | None = None,
    spent_to: datetime.date | None = None,
    q: str | None = None,
    external_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> access.Listed:
    """Return a team's expenses after the position `after`, newest first: up to `limit`, and one more if there are more.

    `after` is a day or a time, depending on `sort`, and an expense's id. Without a `kind`, expenses and incomes are
    returned; another filter that is None does not filter.
    """
    after_key, after_id = after
    filters = {
        "team_id": team_id,
        "kinds": [kind] if kind else ["expense", "income"],
        "payer": payer,
        "participant": participant,
        "category": category,
        "spent_from": spent_from,
        "spent_to": spent_to,
        "q": q,
        "external_id": external_id,
        "metadata": metadata,
        "after_key": after_key,
        "after_id": after_id,
    }
    asked = {"user_id": actor.user_id, "size": limit + 1}
    is_by_day = sort == "spent_on"
    page_of = queries.expenses.page_by_spent_on if is_by_day else queries.expenses.page_by_created_at
    rarely = (kind, payer, participant, category, q, external_id, metadata)
    has_filter = any(rarely) or (not is_by_day and any((spent_from, spent_to)))
    rows = page_of(db, look_at=looked_at_max if has_filter else None, **asked, **filters)
    # What is read after this may be newer than its revision, which only makes a client read it again.
    found, beside = await access.listed(rows, "expense_id")
    if has_filter and len(found) <= limit:
        search = queries.expenses.search_by_spent_on if is_by_day else queries.expenses.search_by_created_at
        searched = await search(db, look_at=looked_at_max, candidates_max=candidates_max, **filters)
        # Null if every filter matches often, but not lately.
        if searched["answered_by"] is None:
            found, _ = await access.listed(page_of(db, look_at=None, **asked, **filters), "expense_id")
        elif candidates := searched["candidates"]:
            among = queries.expenses.candidates_by_spent_on if is_by_day else queries.expenses.candidates_by_created_at
            rows = among(db, candidates=candidates, look_at=None, **asked, **filters)
            found, _ = await access.listed(rows, "expense_id")
    return found, beside


async def get(db: Connectable, actor: Actor, team_id: str, expense_id: str) -> Record:
    """Return a live expense."""
    expense: Record | None = await queries.expenses.get(
        db, team_id=team_id, user_id=actor.user_id, expense_id=expense_id
    )
    if expense is None:
        raise NotFound("There is no such expense, or you are not in the team.")
    return expense


async def update(
    db: Connectable,
    actor: Actor,
    team_id: str,
    expense_id: str,
    *,
    versions: list[int] | None,
    read_only: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    **changes: Any,
) -> Record:
    """Change an expense if its version is in `versions`, or `versions` is None; or, with `dry_run`, return the outcome.

    Members may change what they recorded, admins everything. Former members who take part already may stay. Raises
    PreconditionFailed, and Invalid as `create` does, or for a field in `read_only` that is not as it is stored.
    """
    async with db.transaction(team_id, dry_run=dry_run) as transaction:
        revision = await access.lock(transaction, actor, team_id)
        current = await current_of(transaction, actor, team_id, expense_id, versions=versions, changes=changes)
        check_read_only(read_only, dict(current))
        await check_currency(transaction, team_id, changes.get("currency", current["currency"]))
        if changes.get("spent_on") != current["spent_on"]:
            check_day(changes.get("spent_on"), current["today"])
        division = await _divide_again(transaction, team_id, current, changes)
        changed: Record = await queries.expenses.update(
            transaction,
            team_id=team_id,
            actor_id=current["actor_id"],
            revision=revision,
            expense_id=expense_id,
            handed_amount=None,
            handed_currency=None,
            metadata=merged(orjson.loads(current["metadata"]), changes.get("metadata", {})),
            **{column: changes.get(column, current[column]) for column in columns},
            **division.columns(changes.get("kind", current["kind"])),
        )
    return changed


async def _divide_again(
    transaction: Transaction, team_id: str, current: Record, changes: Mapping[str, Any]
) -> Division:
    """Divide a changed expense by what is sent and, for the rest, by what was typed before."""
    shown = {name: orjson.loads(current[name] or "null") for name in ("payers", "participants", "items")}
    typed = orjson.loads(current["typed"] or "null")
    sent = retyped(shown | {"split": current["split"]}, typed, changes)
    allowed = {*current["active_ids"], *(each["member_id"] for each in shown["payers"] + shown["participants"])}
    others = named(**sent) - allowed
    return divide(
        seed_of(team_id, current["recorded_revision"]) if current["recorded_revision"] else current["expense_id"],
        changes.get("amount", current["amount"]),
        **sent,
        allowed=allowed.union(await open_formers(transaction, team_id, others)),
        everybody=current["everybody"],
    )


def seed_of(team_id: str, revision: int) -> str:
    """Return what decides who gets the units that are left over: the same in a dry run as in the write after it."""
    return f"{team_id}:{revision}"


async def delete(
    db: Connectable,
    actor: Actor,
    team_id: str,
    expense_id: str,
    *,
    versions: list[int] | None,
    is_settlement: bool = False,
) -> None:
    """Remove an expense, or a settlement, from the ledger. Raises what `update` raises."""
    async with db.transaction(team_id) as transaction:
        revision = await access.lock(transaction, actor, team_id)
        access.granted(
            await queries.expenses.delete(
                transaction,
                team_id=team_id,
                user_id=actor.user_id,
                revision=revision,
                expense_id=expense_id,
                is_settlement=is_settlement,
                versions=versions,
            )
        )
