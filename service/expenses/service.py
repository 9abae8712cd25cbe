"""What can be done with expenses."""

import datetime
from collections.abc import Mapping
from typing import Any

import orjson

from service import access
from service.actor import Actor
from service.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from service.expenses.splits import Ledger, settle
from service.postgres.pool import Connectable, Record, Transaction, queries
from service.web.fields import today
from service.web.paging import Page, last_id, position
from service.web.paging import page as cut

columns = ("description", "amount", "currency", "spent_on", "category", "notes")


async def create(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    description: str,
    amount: int,
    currency: str | None = None,
    spent_on: datetime.date | None = None,
    category: str | None = None,
    notes: str | None = None,
    payer: str | None = None,
    payers: list[dict[str, Any]] | None = None,
    split: str = "equal",
    participants: list[dict[str, Any]] | None = None,
) -> Record:
    """Record an expense.

    In two statements: one locks the team and tells what the split needs, one writes. Raises Invalid where the split
    does not come to the amount or names somebody who is neither an active member nor a
    former one with something left to settle.
    """
    async with db.transaction(team_id) as transaction:
        team: Record | None = await queries.expenses.prepare(transaction, team_id=team_id, user_id=actor.user_id)
        if team is None:
            raise await access.refusal(transaction, actor, team_id, access.recorders)
        if split == "exact" and participants is None:
            raise Invalid.at("/participants", "required", "The exact split takes these, each with its `amount`.")
        ledger = settle(
            team["expense_id"],
            amount,
            split=split,
            payer=payer or team["member_id"],
            payers=payers,
            participants=participants or [{"member_id": each} for each in team["member_ids"]],
            allowed=[*team["member_ids"], *team["former_ids"]],
        )
        expense: Record | None = await queries.expenses.create(
            transaction,
            team_id=team_id,
            user_id=actor.user_id,
            revision=team["revision"],
            expense_id=team["expense_id"],
            description=description,
            category=category,
            amount=amount,
            currency=currency or team["currency"],
            spent_on=spent_on or today(),
            notes=notes,
            everybody=participants is None,
            **ledger.columns(),
        )
        if expense is None:
            await access.require(transaction, actor, team_id)
            raise Conflict("The team's members changed while this was recorded. Nothing was stored; send it again.")
    return expense


async def page(
    db: Connectable,
    actor: Actor,
    team_id: str,
    *,
    sort: str,
    limit: int,
    after: str | None = None,
    payer: str | None = None,
    participant: str | None = None,
    category: str | None = None,
    spent_from: datetime.date | None = None,
    spent_to: datetime.date | None = None,
    q: str | None = None,
) -> Page:
    """Return a team's expenses, newest first; a filter that is None lets all through."""
    after_key, after_id = position(after, last_id, sort)
    query = queries.expenses.page_by_spent_on if sort == "spent_on" else queries.expenses.page_by_created_at
    rows = query(
        db,
        team_id=team_id,
        user_id=actor.user_id,
        after_key=after_key,
        after_id=after_id,
        size=limit + 1,
        payer=payer,
        participant=participant,
        category=category,
        spent_from=spent_from,
        spent_to=spent_to,
        q=q,
    )
    found = [row async for row in rows]
    if not found:
        await access.require(db, actor, team_id)
    return cut(found, limit, "expense_id", sort)


async def get(db: Connectable, actor: Actor, team_id: str, expense_id: str) -> Record:
    """Return a live expense."""
    expense: Record | None = await queries.expenses.get(
        db, team_id=team_id, user_id=actor.user_id, expense_id=expense_id
    )
    if expense is None:
        raise NotFound("There is no such expense, or you are not in the team.")
    return expense


async def update(
    db: Connectable, actor: Actor, team_id: str, expense_id: str, *, versions: list[int] | None, **changes: Any
) -> Record:
    """Change an expense at one of some versions, or at any where they are None.

    Members may change what they recorded, admins everything. Members who left stay in it where they were. Raises
    PreconditionFailed, and Invalid as `create` does.
    """
    async with db.transaction(team_id) as transaction:
        locked = await access.lock(transaction, actor, team_id, access.recorders)
        current: Record | None = await queries.expenses.current(
            transaction, team_id=team_id, user_id=actor.user_id, expense_id=expense_id
        )
        if current is None:
            raise NotFound("There is no such expense.")
        _check_may_change(current, versions)
        ledger = _settle_again(expense_id, current, changes)
        changed: Record = await queries.expenses.update(
            transaction,
            team_id=team_id,
            actor_id=current["actor_id"],
            revision=locked["revision"],
            expense_id=expense_id,
            **{column: changes.get(column, current[column]) for column in columns},
            **ledger.columns(),
        )
    return changed


def _settle_again(expense_id: str, current: Record, changes: Mapping[str, Any]) -> Ledger:
    """Compute a changed expense's ledger from what is sent and, where nothing is sent, from what was."""
    split = changes.get("split", current["split"])
    before = {name: orjson.loads(current[name]) for name in ("payers", "participants")}
    if split == "equal":
        for participant in before["participants"]:
            del participant["amount"]
    parties = [each["member_id"] for name in before for each in before[name]]
    return settle(
        expense_id,
        changes.get("amount", current["amount"]),
        split=split,
        payer=changes.get("payer", before["payers"][0]["member_id"]),
        payers=changes.get("payers"),
        participants=changes.get("participants", before["participants"]),
        allowed=[*current["member_ids"], *parties],
    )


async def delete(db: Connectable, actor: Actor, team_id: str, expense_id: str, *, versions: list[int] | None) -> None:
    """Take an expense out of the ledger. Raises what `update` raises."""
    async with db.transaction(team_id) as transaction:
        locked = await access.lock(transaction, actor, team_id, access.recorders)
        deleted = await queries.expenses.delete(
            transaction,
            team_id=team_id,
            user_id=actor.user_id,
            revision=locked["revision"],
            expense_id=expense_id,
            versions=versions,
        )
        if deleted is None:
            await _refuse_delete(transaction, actor, team_id, expense_id, versions)


async def _refuse_delete(
    transaction: Transaction, actor: Actor, team_id: str, expense_id: str, versions: list[int] | None
) -> None:
    current: Record | None = await queries.expenses.current(
        transaction, team_id=team_id, user_id=actor.user_id, expense_id=expense_id
    )
    if current is None:
        raise NotFound("There is no such expense.")
    _check_may_change(current, versions)
    raise Conflict


def _check_may_change(current: Record, versions: list[int] | None) -> None:
    # Who waited for the lock may have become a viewer meanwhile.
    is_own = current["created_by"] == current["actor_id"] and current["actor_role"] in access.recorders
    if current["actor_role"] not in access.managers and not is_own:
        raise Forbidden("This takes the role owner or admin, or a member who recorded the expense.")
    if versions is not None and current["version"] not in versions:
        sent = " or ".join(f'"{each}"' for each in versions) or "no ETag of this API, which has its quotes"
        raise PreconditionFailed(f'If-Match has {sent}; the current version is "{current["version"]}".')
