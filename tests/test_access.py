"""Who may do what: every route of a team for every kind of person, and nothing changed by what is refused."""

import importlib
import uuid

import pytest

from service.actor import Actor
from service.auth.keys import SECURITY
from service.routes import routes
from tests.access import ACTORS
from tests.rows import all_rows, user

# What somebody keeps for themselves is no write of the team.
NO_REVISION = {"history.read"}
ROUTES = [(method, path, name) for method, path, _, name in routes if path.startswith("/v1/teams")]


def module_of(name):
    """Return the test of an endpoint: `expenses.get` has tests/expenses/test_get.py."""
    feature, verb = name.split(".")
    return importlib.import_module(f"tests.{feature}.test_{verb}")


def body_of(name, world):
    """Return a body that the endpoint takes, where it takes one: it may name members of the world."""
    module = module_of(name)
    return module.body(world) if hasattr(module, "body") else getattr(module, "BODY", None)


class World:
    """A team, and somebody of each kind with a token."""

    def __init__(self, served, db):
        self.served, self.db = served, db
        self.tokens = {"anonymous": ""}
        self.members = {}

    async def fill(self):
        tokens = self.served.app[SECURITY].tokens
        for actor in ACTORS[1:]:
            user_id = await user(self.db, f"{actor}@example.com", actor)
            tokens.lifetime_seconds = -1 if actor == "expired" else 900
            self.tokens[actor] = tokens.access(Actor(user_id, str(uuid.uuid4())))
        team = await self.call("owner", "POST", "/v1/teams", {"name": "Flat", "currency": "EUR"})
        self.team_id, self.members["owner"] = team.body["team_id"], team.body["member_id"]
        await self.call("foreign_owner", "POST", "/v1/teams", {"name": "Trip", "currency": "EUR"})
        for actor in ("former", "expired", "viewer", "member", "recorder", "admin"):
            role = {"former": "admin", "expired": "owner", "recorder": "member"}.get(actor, actor)
            body = {"email": f"{actor}@example.com", "role": role}
            added = await self.call("owner", "POST", f"/v1/teams/{self.team_id}/members", body)
            self.members[actor] = added.body["member_id"]
        await self.call("owner", "DELETE", f"/v1/teams/{self.team_id}/members/{self.members['former']}")

    async def call(self, actor, method, path, body=None):
        return await self.served.call(method, path, body, token=self.tokens[actor], headers={"If-Match": "*"})

    async def target(self, path, name):
        """Return a route's path for a new guest, and a new expense and a new settlement of the recorder's.

        The team is deleted where the test of the endpoint says `IS_DELETED`.
        """
        team = f"/v1/teams/{self.team_id}"
        await self.db.execute("update teams set deleted_at = null where team_id = $1", self.team_id)
        own = {"participants": [{"member_id": self.members["recorder"]}]}
        expense = await self.call("recorder", "POST", f"{team}/expenses", {"description": "Tea", "amount": 9} | own)
        guest = await self.call("owner", "POST", f"{team}/members", {"name": "Guest"})
        paid = {"from": self.members["recorder"], "to": self.members["owner"], "amount": 9}
        settlement = await self.call("recorder", "POST", f"{team}/settlements", paid)
        back = {"from": self.members["owner"], "to": self.members["recorder"], "amount": 9}
        await self.call("owner", "POST", f"{team}/settlements", back)
        if getattr(module_of(name), "IS_DELETED", False):
            assert (await self.call("owner", "DELETE", f"{team}?keep_balance=true")).status == 204
        return path.format(
            team_id=self.team_id,
            member_id=guest.body["member_id"],
            expense_id=expense.body["expense_id"],
            settlement_id=settlement.body["settlement_id"],
        )


@pytest.fixture
async def world(served, db):
    world = World(served, db)
    await world.fill()
    return world


@pytest.mark.parametrize("name", [name for _, _, name in ROUTES])
def test_every_route_has_its_row(name):
    assert len(module_of(name).ACCESS) == len(ACTORS)


@pytest.mark.parametrize(("method", "path", "name"), ROUTES, ids=[name for _, _, name in ROUTES])
async def test_a_route_is_open_to_whom_it_should_be(world, db, subtests, *, method, path, name):
    is_write = method != "GET" and name not in NO_REVISION
    cells = list(zip(ACTORS, module_of(name).ACCESS, strict=True))
    target = await world.target(path, name)
    for actor, status in [cell for cell in cells if cell[1] >= 400]:
        with subtests.test(actor):
            before = await all_rows(db)
            assert (await world.call(actor, method, target, body_of(name, world))).status == status
            assert await all_rows(db) == before
    for actor, status in [cell for cell in cells if cell[1] < 400]:
        with subtests.test(actor):
            target = await world.target(path, name)
            revisions = await db.fetchval("select count(*) from revisions")
            assert (await world.call(actor, method, target, body_of(name, world))).status == status
            assert await db.fetchval("select count(*) from revisions") == revisions + is_write


async def test_a_stranger_cannot_tell_a_team_from_none(world, subtests):
    for method, path, name in [each for each in ROUTES if "{team_id}" in each[1]]:
        with subtests.test(name):
            there = await world.target(path, name)
            nowhere = there.replace(world.team_id, str(uuid.uuid4()))
            answers = [
                await world.call("outsider", method, target, body_of(name, world)) for target in (there, nowhere)
            ]
            for answer in answers:
                del answer.body["instance"]
            assert answers[0].body == answers[1].body
            assert answers[0].body["status"] == 404, name


# A copy of a team in which only the team's id, the amounts, who paid and the owner are others; the first owner is there
# too, as a member of another id.
TWIN = """
with team as (
    insert into teams (name, currency, revision) values ('Twin', 'JPY', 0) returning team_id
),

people as (
    insert into members
    select (
        jsonb_populate_record(
            members,
            jsonb_build_object(
                'team_id', team.team_id, 'name', 'Twin', 'user_id', case when user_id is not null then $1::uuid end
            )
        )
    ).*
    from members cross join team
),

costs as (
    insert into expenses
    select (
        jsonb_populate_record(
            expenses, jsonb_build_object('team_id', team.team_id, 'description', 'Twin', 'amount', 2 * amount)
        )
    ).*
    from expenses cross join team
),

ledger as (
    insert into entries
    select (
        jsonb_populate_record(
            entries,
            jsonb_build_object(
                'team_id', team.team_id,
                'paid', case when member_id = expenses.created_by then 2 * amount else 0 end,
                'owed', 2 * owed
            )
        )
    ).*
    from entries inner join expenses using (team_id, expense_id, currency) cross join team
),

past as (
    insert into revisions
    select (jsonb_populate_record(revisions, jsonb_build_object('team_id', team.team_id, 'action', 'teams.update'))).*
    from revisions cross join team
),

owner as (
    insert into members (team_id, user_id, name, role) select team.team_id, $2::uuid, 'Ann', 'owner' from team
)

select team_id::text from team
"""


async def test_teams_stay_apart_even_where_their_rows_have_the_same_ids(bob, flat, db, subtests):
    kim, lee = await flat.guest("Kim"), await flat.guest("Lee")
    first, second = await flat.spend(900, payer=kim), await flat.spend(600, participants=[{"member_id": lee}])
    reads = [
        "",
        "/members?status=all",
        f"/members/{kim}",
        "/expenses",
        "/expenses?sort=created_at",
        f"/expenses?payer={kim}",
        f"/expenses?payer={flat.owner_id}",
        f"/expenses?participant={lee}&sort=created_at",
        f"/expenses?payer={kim}&sort=created_at",
        f"/expenses/{first['expense_id']}",
        "/balances",
        "/balances?as_of=2999-12-31",
        f"/balances/{kim}",
        f"/balances/{lee}?currency=EUR",
        f"/expenses/{first['expense_id']}/history",
        f"/members/{kim}/history",
        "/history",
        "/activity",
        f"/activity?actor={flat.owner_id}",
        "/activity?action=members.create&from=2000-01-01",
        f"/activity?subject_id={kim}&to=2999-12-31",
    ]
    alone = [(await flat.owner.get(flat.path + path)).body for path in reads]
    twin = await db.fetchval(TWIN, bob.user_id, flat.owner.user_id)
    assert [(await flat.owner.get(flat.path + path)).body for path in reads] == alone
    for path in reads:
        with subtests.test(path):
            assert (await bob.get(flat.path + path)).status == 404
    before = [row for row in await all_rows(db) if twin in row[1]]
    assert len(before) == 1 + 4 + 2 + 5 + 3 + 5
    writes = [
        ("PATCH", "", {"name": "House"}, 200),
        ("PATCH", f"/expenses/{first['expense_id']}", {"amount": 901, "participants": [{"member_id": lee}]}, 200),
        ("DELETE", f"/expenses/{second['expense_id']}", None, 204),
        ("DELETE", f"/expenses/{first['expense_id']}", None, 204),
        ("POST", "/expenses", {"description": "Lunch", "amount": 1, "participants": [{"member_id": kim}]}, 201),
        ("DELETE", f"/members/{kim}", None, 409),
        ("POST", "/members", {"name": "Max"}, 201),
        ("PATCH", f"/members/{lee}", {"name": "Leo"}, 200),
        # In the twin Lee still has a balance, and there is another owner.
        ("DELETE", f"/members/{lee}", None, 204),
        ("PATCH", f"/members/{flat.owner_id}", {"role": "admin"}, 409),
        ("DELETE", "?keep_balance=true", None, 204),
    ]
    await flat.add(bob, "viewer")
    unchanged = await all_rows(db)
    for method, path, body, _ in writes:
        with subtests.test(f"{method} {path}"):
            # Bob is an owner of the twin, but not here.
            answer = await bob.call(method, flat.path + path, body, headers={"If-Match": "*"})
            assert answer.status == 403, (method, path)
    assert await all_rows(db) == unchanged
    for method, path, body, status in writes:
        answer = await flat.owner.call(method, flat.path + path, body, headers={"If-Match": "*"})
        assert answer.status == status, (method, path)
        if status == 409 and "balances" in answer.body:
            assert answer.body["balances"] == [{"currency": "EUR", "net": -1}]
    assert [row for row in await all_rows(db) if twin in row[1]] == before
