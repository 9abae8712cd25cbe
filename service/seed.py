"""Realistic sample data: people, teams and two years of their expenses, written through the services.

All in one transaction: a run that is killed leaves nothing, and a run that finds one of its accounts adds nothing.
"""

import datetime
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tqdm import tqdm

from service.actor import Actor
from service.auth.passwords import Passwords
from service.config import Config
from service.errors import EmailTaken
from service.expenses import service as expenses
from service.members import service as members
from service.money import apportion
from service.postgres.pool import Transaction, connect, on_violation
from service.postgres.queries import queries
from service.process.addresses import joined, reachable
from service.teams import service as teams
from service.web.fields import today

password = "correct horse battery staple"  # noqa: S105 -- it is shown to everybody who runs this.
people = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Keiko", "Liam")
past_days = 730
statement_seconds = 600.0  # The commit checks all entries of the two years.
trips = ((610, 596), (342, 325), (64, 49))
bookings = tuple((first + 75, first + 70) for first, _ in trips)


class Party(NamedTuple):
    """A member of a team, an account or a guest; `came` and `left` are in days ago."""

    name: str
    role: str = "member"
    came: int = past_days
    left: int | None = None


class Habit(NamedTuple):
    """A recurring expense of a team, during `spells`, which are in days ago.

    Amounts are multiples of `step` minor units. With `some`, not everybody takes part. Without `per_week` it is due on
    the first of every month, in exact shares that differ, like those of rooms of different sizes.
    """

    category: str
    descriptions: tuple[str, ...]
    low: int
    high: int
    per_week: float | None = None
    step: int = 1
    some: bool = False
    currency: str | None = None
    spells: tuple[tuple[int, int], ...] = ((past_days, 0),)


class Team(NamedTuple):
    """A team; its first party creates it."""

    name: str
    currency: str
    parties: tuple[Party, ...]
    habits: tuple[Habit, ...]


# fmt: off
seeded = (
    Team("Elm Street 12", "EUR", (
        Party("Anna", "owner"), Party("Ben", "admin"), Party("Clara"), Party("David", left=288),
        Party("Emma", came=285), Party("Grace", "viewer", came=700), Party("Nils from the sofa", "guest", came=120),
    ), (
        Habit("rent", ("Rent",), 186000, 186000),
        Habit("utilities", ("Electricity", "Gas", "Internet"), 3999, 14500),
        Habit("groceries", ("Weekly shop", "Farmers' market", "Rewe", "Aldi", "Breakfast things"), 900, 9800, 3.4),
        Habit("household", ("Cleaning things", "Light bulbs", "Toilet paper", "Bin bags"), 250, 3800, 1.2),
        Habit("eating out", ("Pizza night", "Thai takeaway", "Burgers", "Dinner"), 2400, 8600, 2.1, 10, some=True),
        Habit("fun", ("Cinema", "Board game", "Concert tickets", "Bouldering"), 1800, 12000, 0.7, 50, some=True),
    )),
    Team("Japan, again", "JPY", (
        Party("Emma", "owner"), Party("Grace", "admin"), Party("Anna"), Party("Felix"), Party("Keiko"),
        Party("Yuki", "guest", came=350),
    ), (
        Habit("transport", ("Flights", "Flight change"), 64000, 310000, 2, 100, currency="EUR", spells=bookings),
        Habit("transport", ("Shinkansen", "IC card top-up", "Taxi", "Ferry"), 1200, 56000, 6, 10, spells=trips),
        Habit("lodging", ("Ryokan", "Capsule hotel", "Minshuku", "Hotel"), 18000, 96000, 4, 100, spells=trips),
        Habit("food", ("Breakfast at the konbini", "Onigiri", "Coffee and toast"), 600, 4800, 6, 10, spells=trips),
        Habit("food", ("Ramen", "Soba", "Curry", "Bento on the train"), 2800, 9800, 7, 10, some=True, spells=trips),
        Habit("food", ("Izakaya", "Sushi", "Yakitori", "Okonomiyaki"), 7200, 38000, 6, 10, spells=trips),
        Habit("sights", ("Temple entry", "Museum", "Onsen", "Aquarium"), 800, 16000, 5, 100, some=True, spells=trips),
    )),
    Team("The Saturday Band", "GBP", (
        Party("Hugo", "owner"), Party("Iris", "admin"), Party("Liam"), Party("Jonas"), Party("Ben", came=400),
        Party("Keiko", "viewer", came=380), Party("Max at the mixer", "guest", came=500),
    ), (
        Habit("rehearsal", ("Rehearsal room",), 24000, 24000),
        Habit("rehearsal", ("Drinks after the rehearsal", "Sandwiches", "Fish and chips"), 1200, 6400, 1.3, 5),
        Habit("gear", ("Strings", "Drum sticks", "Cables", "Microphone", "Gaffer tape"), 450, 16000, 1.2, some=True),
        Habit("travel", ("Petrol", "Van hire", "Train to the gig", "Parking"), 600, 18500, 1.7),
    )),
    Team("Jonas, Iris and the children", "EUR", (
        Party("Jonas", "owner"), Party("Iris", "owner"), Party("Felix", "viewer", came=500),
        Party("Grandma", "guest", came=240),
    ), (
        Habit("mortgage", ("Mortgage",), 142350, 142350),
        Habit("utilities", ("Heating", "Electricity", "Water and waste"), 5200, 19800),
        Habit("groceries", ("Supermarket", "Bakery", "Butcher", "Vegetable box"), 600, 16500, 4.6),
        Habit("children", ("School trip", "Shoes", "Swimming lessons", "Birthday present"), 900, 8900, 1.8),
        Habit("car", ("Petrol", "Car wash", "Tyres", "Repair"), 1500, 24000, 0.9),
        Habit("holidays", ("Campsite", "Ferry", "Ice cream", "Boat hire"), 450, 42000, 6, 10, spells=((430, 412),)),
    )),
)
# fmt: on


# A write to a team: when it is recorded, the day it is for, and who joins or leaves, or what is spent on.
Event = tuple[datetime.datetime, datetime.date, Party | Habit]


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

    async def happen(self, day: datetime.date, subject: Party | Habit) -> None:
        """Write an event of a day; the first party creates the team."""
        owner = self.actors[self.team.parties[0].name]
        if isinstance(subject, Habit):
            await self._spend(subject, day)
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

    async def _spend(self, habit: Habit, day: datetime.date) -> None:
        usual = (2 * habit.low + habit.high) / 3
        amount = round(self.random.triangular(habit.low, habit.high, usual) / habit.step) * habit.step
        exact, names = habit.per_week is None, self._take_part(habit)
        shares = apportion(amount, {name: 4 + index % 3 if exact else 1 for index, name in enumerate(names)}, str(day))
        amounts = {name: {"amount": shares[name]} if exact else {} for name in names}
        # Usually the one who is furthest behind pays. A guest cannot record it, so the team's creator does.
        payer = min(names, key=lambda name: self.ahead[name] + self.random.uniform(0, 2 * amount))
        await expenses.create(
            self.db,
            self.actors.get(payer, self.actors[self.team.parties[0].name]),
            self.team_id,
            description=self.random.choice(habit.descriptions),
            amount=amount,
            currency=habit.currency,
            spent_on=day,
            category=habit.category,
            payer=self.member_ids[payer],
            split="exact" if exact else "equal",
            participants=[{"member_id": self.member_ids[name]} | amounts[name] for name in names],
        )
        self.ahead.update({payer: amount})
        self.ahead.subtract(shares)

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
            for _, day, subject in story:
                await life.happen(day, subject)
                progress.update()
            await _date(transaction, life.team_id, [at for at, _, _ in story])
            tqdm.write(f"{team.name}: {len(story)} writes in {team.currency}")
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
    return datetime.datetime.combine(today() - datetime.timedelta(days=days_ago), datetime.time(6), datetime.UTC)
