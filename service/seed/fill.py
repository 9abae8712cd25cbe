"""Realistic sample data: people, teams and two years of their expenses, written through the services.

All in one transaction: a run that is killed leaves nothing, and a run that finds one of its accounts adds nothing.
"""

import datetime
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tqdm import tqdm

from service.actor import Actor
from service.auth.passwords import Passwords
from service.config import Config
from service.errors import EmailTaken
from service.expenses import service as expenses
from service.members import service as members
from service.money import apportion
from service.postgres.pool import Transaction, connect
from service.postgres.queries import queries
from service.postgres.violations import on_violation
from service.process.addresses import joined, reachable
from service.seed.sample import Habit, Party, Settling, Team, past_days, people, seeded, settling
from service.settlements import service as settlements
from service.teams import service as teams

password = "correct horse battery staple"  # noqa: S105 -- it is shown to everybody who runs this.
statement_seconds = 600.0  # The commit checks all entries of the two years.


# A write to a team: when it is recorded, the day it is for, and who joins or leaves, or what is spent on or settled.
Event = tuple[datetime.datetime, datetime.date, Party | Habit | Settling]


@dataclass
class Life:
    """The state of a team while it is written: its accounts and members, and about how much each has paid too much."""

    db: Transaction
    team: Team
    actors: dict[str, Actor]
    random: Random
    team_id: str = ""
    member_ids: dict[str, str] = field(default_factory=dict)
    ahead: Counter[str] = field(default_factory=Counter)

    async def happen(self, day: datetime.date, subject: Party | Habit | Settling) -> bool:
        """Write an event of a day, and return whether it was written; the first party creates the team."""
        owner = self.actors[self.team.parties[0].name]
        if isinstance(subject, Habit):
            await self._spend(subject, day)
        elif isinstance(subject, Settling):
            return await self._settle(owner, day)
        elif member_id := self.member_ids.pop(subject.name, None):
            await members.delete(self.db, owner, self.team_id, member_id, keep_balance=True)
        elif subject is self.team.parties[0]:
            team = await teams.create(self.db, owner, name=self.team.name, currency=self.team.currency)
            self.team_id, self.member_ids[subject.name] = team["team_id"], team["member_id"]
        else:
            account = {"email": email_of(subject.name), "role": subject.role}
            sent = account if subject.name in self.actors else {"name": subject.name}
            member = await members.create(self.db, owner, self.team_id, **sent)
            self.member_ids[subject.name] = member["member_id"]
        return True

    async def _settle(self, owner: Actor, day: datetime.date) -> bool:
        planned = (await settlements.plan(self.db, owner, self.team_id))["items"]
        if not planned:
            return False
        transfer = max(planned, key=lambda each: (each["amount"], each["from"]))
        await settlements.create(
            self.db,
            owner,
            self.team_id,
            from_id=transfer["from"],
            to_id=transfer["to"],
            amount=transfer["amount"],
            currency=transfer["currency"],
            settled_on=day,
        )
        names = {member_id: name for name, member_id in self.member_ids.items()}
        for member_id, amount in ((transfer["from"], transfer["amount"]), (transfer["to"], -transfer["amount"])):
            if name := names.get(member_id):
                self.ahead[name] += amount
        return True

    async def _spend(self, habit: Habit, day: datetime.date) -> None:
        usual = (2 * habit.low + habit.high) / 3
        amount = round(self.random.triangular(habit.low, habit.high, usual) / habit.step) * habit.step
        names = self._take_part(habit)
        shares = apportion(amount, dict.fromkeys(names, 1), str(day))
        # Usually those who are furthest behind pay. A guest cannot record it, so the team's creator does.
        behind = sorted(names, key=lambda name: self.ahead[name] + self.random.uniform(0, 2 * amount))
        paid = apportion(amount, dict.fromkeys(behind[: 1 + habit.two_pay], 1), str(day))
        await expenses.create(
            self.db,
            self.actors.get(behind[0], self.actors[self.team.parties[0].name]),
            self.team_id,
            kind=habit.kind,
            description=self.random.choice(habit.descriptions),
            amount=amount,
            currency=habit.currency,
            spent_on=day,
            category=habit.category,
            payers=[{"member_id": self.member_ids[name], "amount": part} for name, part in paid.items()],
            **self._shared(habit.split, amount, [self.member_ids[name] for name in names]),
        )
        # About so: other splits than equal ones are not looked at again.
        signed = 1 if habit.kind == "expense" else -1
        self.ahead.update({name: signed * part for name, part in paid.items()})
        self.ahead.update({name: -signed * part for name, part in shares.items()})

    def _shared(self, split: str, amount: int, ids: list[str]) -> dict[str, Any]:
        """Return who shares an amount, with the values that a split takes, like those of rooms of different sizes."""
        weights = {each: 4 + index % 3 for index, each in enumerate(ids)}
        if split == "itemised":
            tip = amount // 10
            parts = apportion(amount - tip, weights, split)
            items = [
                {
                    "description": f"Dish {index}",
                    "amount": part,
                    "split": "equal",
                    "participants": [{"member_id": each}],
                }
                for index, (each, part) in enumerate(parts.items(), start=1)
            ]
            return {"split": split, "items": items, "tip": tip}
        values: dict[str, dict[str, Any]] = {
            "equal": {},
            "exact": {each: {"amount": part} for each, part in apportion(amount, weights, split).items()},
            "percent": {each: {"percent": part / 100} for each, part in apportion(10**4, weights, split).items()},
            "shares": {each: {"shares": self.random.choice((0.5, 1, 1, 2))} for each in ids},
            "adjustment": {ids[0]: {"adjustment": amount // 10}},
        }
        return {"split": split, "participants": [{"member_id": each} | values[split].get(each, {}) for each in ids]}

    def _take_part(self, habit: Habit) -> list[str]:
        """Return who takes part: no viewers, no guests in monthly expenses and, with `some`, not everybody."""
        without = {"viewer", "guest"} if habit.per_week is None else {"viewer"}
        names = [each.name for each in self.team.parties if each.name in self.member_ids and each.role not in without]
        return self.random.sample(names, self.random.randint(2, len(names))) if habit.some else names


async def fill(config: Config) -> None:
    """Write the sample data, unless one of its accounts exists, and say how to log in.

    Raises Unavailable when the database does not answer.
    """
    with closing(Passwords(memory_kib=config.argon2_memory_kib, passes=config.argon2_passes)) as passwords:
        password_hash = await passwords.hash(password)
    try:
        connected = connect(
            config.database_url,
            statement_seconds=statement_seconds,
            statement_cache_size=config.statement_cache_size,
        )
        async with connected as db, db.transaction() as transaction:
            await transaction.allow(statement_seconds)
            await _fill(transaction, password_hash)
    except EmailTaken as refusal:
        tqdm.write(f"Nothing was added: {refusal}")
    login = f'{{"email": "{email_of(people[0])}", "password": "{password}"}}'
    tqdm.write(f"Log in as {email_of(people[0])}, or as any other of these people, with the password: {password}")
    address = config.public_url or f"http://{joined(reachable(config.host), config.port)}"
    tqdm.write(f"curl {address}/v1/auth/login --json '{login}'")


async def _fill(transaction: Transaction, password_hash: str) -> None:
    random = Random(20)  # noqa: S311 -- the same instance every time.
    actors = {}
    for name in people:
        email = email_of(name)
        with on_violation("users_email_key", raises=EmailTaken(f"the account {email} already exists.")):
            user = await queries.auth.register(transaction, email=email, name=name, password_hash=password_hash)
        actors[name] = Actor(user["user_id"], "")
    stories = [_story(team, random) for team in seeded]
    # Without a terminal there is no progress bar, only a line for each team.
    with tqdm(total=sum(map(len, stories)), unit=" writes", disable=None) as progress:
        for team, story in zip(seeded, stories, strict=True):
            life = Life(transaction, team, actors, random)
            times = []
            for at, day, subject in story:
                if await life.happen(day, subject):
                    times.append(at)
                progress.update()
            if team.is_closed:
                last_year = datetime.date(_morning(0).year - 1, 12, 31)
                await teams.update(transaction, actors[team.parties[0].name], life.team_id, closed_until=last_year)
                times.append(max(times[-1], _morning(0)))
            await _date(transaction, life.team_id, times)
            tqdm.write(f"{team.name}: {len(times)} writes in {team.currency}")
    await queries.seed.date_accounts(transaction, user_ids=[actor.user_id for actor in actors.values()])


def email_of(name: str) -> str:
    """Return the e-mail address of a person's account."""
    return f"{name.lower()}@example.com"


def _story(team: Team, random: Random) -> list[Event]:
    """Return all events of a team, in order."""
    moves = [(days, party) for party in team.parties for days in (party.came, party.left) if days is not None]
    events: list[Event] = [(_morning(days), _morning(days).date(), party) for days, party in moves]
    for days in range(past_days, -1, -1):
        morning = _morning(days)
        if morning.day == settling.day and days < past_days - 30:
            events.append((morning + datetime.timedelta(hours=3), morning.date(), settling))
        for habit in team.habits:
            chance = morning.day == 1 if habit.per_week is None else habit.per_week / 7
            if any(first >= days >= last for first, last in habit.spells) and random.random() < chance:
                recorded = morning + datetime.timedelta(hours=random.triangular(2, 40, 8))
                events.append((recorded, morning.date(), habit))
    return sorted(events, key=lambda event: event[0])


async def _date(transaction: Transaction, team_id: str, times: list[datetime.datetime]) -> None:
    """Date a team and everything in it by the times of its revisions."""
    now = datetime.datetime.now(datetime.UTC)
    # Expenses of today would otherwise be recorded in the future.
    await queries.seed.date_revisions(transaction, team_id=team_id, times=[min(at, now) for at in times])
    await queries.seed.date_members(transaction, team_id=team_id)
    await queries.seed.date_expenses(transaction, team_id=team_id)
    await queries.seed.date_history(transaction, team_id=team_id)


def _morning(days_ago: int) -> datetime.datetime:
    return datetime.datetime.combine(
        datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=days_ago), datetime.time(6), datetime.UTC
    )
