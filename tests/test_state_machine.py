"""Anything that people do with a ledger, in any order: after every step the service has what the model has.

`make fuzz-ledger` runs 500 sequences of 50 steps; the suite runs a few.
"""

import asyncio
import datetime
import http.client
import json
import os
import sys
import threading
from dataclasses import replace
from typing import Any

import hypothesis
import psycopg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import PASSWORD, running
from tests.mirror import Mirror
from tests.model import Entry, Model, exact_shares, fewest

SEQUENCES = int(os.environ.get("FUZZ_SEQUENCES", "6"))
STEPS = int(os.environ.get("FUZZ_STEPS", "25"))
CURRENCIES = ("EUR", "JPY", "KWD")
MODES = ("equal", "exact", "percent", "shares", "adjustment", "itemised")
AMOUNTS = st.one_of(st.integers(1, 12), st.integers(1, 10_000), st.sampled_from([10**15 - 1, 10**15]))


class Client:
    """Talks to the service in another thread, over one connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.token = ""

    def call(self, method: str, path: str, body: Any = None, if_match: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"If-Match": if_match} if if_match else {}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None


class Ledger(RuleBasedStateMachine):
    client: Client
    url: str
    steps = 0
    refused = 0

    @initialize()
    def start(self) -> None:
        status, team = self.client.call("POST", "/v1/teams", {"name": "Fuzz", "currency": "EUR"})
        assert status == 201
        self.path, self.team_id = f"/v1/teams/{team['team_id']}", team["team_id"]
        self.owner_id = team["member_id"]
        self.active, self.former = [self.owner_id], []
        self.model = Model()
        self.has_tried = False
        self.versions: dict[str, int] = {}
        # The last day of the closed period: every day is after the empty text.
        self.closed = ""
        self.mirror = Mirror(self.get)

    def get(self, path: str) -> Any:
        status, body = self.client.call("GET", self.path + path)
        assert status == 200, body
        return body

    # --- the team

    @rule(name=st.sampled_from(["Fuzz", "Fussy"]))
    def rename(self, name: str) -> None:
        assert self.client.call("PATCH", self.path, {"name": name})[0] == 200

    # --- members

    @precondition(lambda self: len(self.active) + len(self.former) < 7)
    @rule()
    def join(self) -> None:
        status, member = self.client.call("POST", f"{self.path}/members", {"name": f"Guest {len(self.active)}"})
        assert status == 201
        self.active.append(member["member_id"])

    @precondition(lambda self: len(self.active) > 1)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(self.active[1:]))
        is_open = any(who == member for who, _ in self.model.nets())
        status, problem = self.client.call("DELETE", f"{self.path}/members/{member}")
        assert status == (409 if is_open else 204), problem
        if is_open:
            said = {(each["currency"], each["net"]) for each in problem["balances"]}
            assert said == {(currency, net) for (who, currency), net in self.model.nets().items() if who == member}
            assert self.client.call("DELETE", f"{self.path}/members/{member}?keep_balance=true")[0] == 204
        self.active.remove(member)
        self.former.append(member)

    @precondition(lambda self: self.former)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(self.former))
        assert self.client.call("POST", f"{self.path}/members", {"member_id": member})[0] == 201
        self.former.remove(member)
        self.active.append(member)

    # --- closing

    @rule(days=st.one_of(st.none(), st.integers(-1, 60)))
    def close(self, days: int | None) -> None:
        day = None if days is None else str(datetime.date(2024, 1, 1) + datetime.timedelta(days=days))
        status, team = self.client.call("PATCH", self.path, {"closed_until": day})
        assert (status, team["closed_until"]) == (200, day)
        self.closed = day or ""

    def is_closed(self, answers: list[tuple[int, Any]], *days: str) -> bool:
        """Tell whether one of the days is closed; then all of the answers have to say so."""
        if min(days) > self.closed:
            return False
        for status, problem in answers:
            assert (status, problem["type"]) == (409, "/problems/period-closed"), problem
            assert problem["closed_until"] == self.closed
        Ledger.refused += 1
        return True

    # --- expenses and incomes

    def shares(self, data: st.DataObject, amount: int, mode: str, members: list[str]) -> list[dict[str, Any]]:
        """Draw participants of a mode that come to the amount."""
        chosen = data.draw(st.lists(st.sampled_from(members), min_size=1, unique=True))
        if mode == "exact":
            cuts = sorted(
                data.draw(st.lists(st.integers(0, amount), min_size=len(chosen) - 1, max_size=len(chosen) - 1))
            )
            parts = [high - low for low, high in zip([0, *cuts], [*cuts, amount], strict=True)]
            return [{"member_id": each, "amount": part} for each, part in zip(chosen, parts, strict=True)]
        if mode == "percent":
            cuts = sorted(
                data.draw(st.lists(st.integers(0, 10**6), min_size=len(chosen) - 1, max_size=len(chosen) - 1))
            )
            parts = [high - low for low, high in zip([0, *cuts], [*cuts, 10**6], strict=True)]
            return [{"member_id": each, "percent": part / 10**4} for each, part in zip(chosen, parts, strict=True)]
        if mode == "shares":
            first = data.draw(st.integers(1, 20)) / 2
            return [
                {"member_id": each, "shares": first if index == 0 else data.draw(st.integers(0, 10**5)) / 10**4}
                for index, each in enumerate(chosen)
            ]
        if mode == "adjustment":
            # Shares down to zero before the odd units are handed out; each is an equal part with its adjustment.
            odd = data.draw(st.integers(0, min(len(chosen) - 1, amount)))
            cuts = sorted(
                data.draw(st.lists(st.integers(0, amount - odd), min_size=len(chosen) - 1, max_size=len(chosen) - 1))
            )
            parts = [high - low for low, high in zip([0, *cuts], [*cuts, amount - odd], strict=True)]
            equal = data.draw(st.integers(0, amount))
            return [{"member_id": each, "adjustment": part - equal} for each, part in zip(chosen, parts, strict=True)]
        return [{"member_id": each} for each in chosen]

    def body(self, data: st.DataObject, members: list[str]) -> dict[str, Any]:
        """Draw an expense that the service must take."""
        mode = data.draw(st.sampled_from(MODES))
        amount = data.draw(AMOUNTS)
        body: dict[str, Any] = {
            "kind": data.draw(st.sampled_from(["expense", "expense", "income"])),
            "description": "Fuzz",
            "currency": data.draw(st.sampled_from(CURRENCIES)),
            "spent_on": str(datetime.date(2024, 1, 1) + datetime.timedelta(days=data.draw(st.integers(0, 100)))),
            "split": mode,
        }
        if mode == "itemised":
            items = []
            for _ in range(data.draw(st.integers(1, 3))):
                item_mode = data.draw(st.sampled_from(MODES[:-1]))
                item_amount = data.draw(st.integers(1, 5000))
                item = {"amount": item_amount, "split": item_mode}
                if item_mode != "equal" or data.draw(st.booleans()):
                    item["participants"] = self.shares(data, item_amount, item_mode, members)
                items.append(item)
            total = sum(item["amount"] for item in items)
            tax, tip = data.draw(st.integers(0, 50)), data.draw(st.integers(0, 50))
            discount = data.draw(st.integers(0, total + tax + tip - 1))
            amount = total + tax + tip - discount
            body |= {"items": items, "tax": tax, "tip": tip, "discount": discount}
        elif mode != "equal" or data.draw(st.booleans()):
            body["participants"] = self.shares(data, amount, mode, members)
        body["amount"] = amount
        if data.draw(st.booleans()):
            paying = data.draw(st.lists(st.sampled_from(members), min_size=1, max_size=amount, unique=True))
            cuts = sorted(
                data.draw(st.sets(st.integers(1, amount - 1), min_size=len(paying) - 1, max_size=len(paying) - 1))
                if len(paying) > 1
                else []
            )
            parts = [high - low for low, high in zip([0, *cuts], [*cuts, amount], strict=True)]
            body["payers"] = [{"member_id": each, "amount": part} for each, part in zip(paying, parts, strict=True)]
        return body

    def remember(self, body: dict[str, Any], answer: dict[str, Any], everybody: list[str]) -> None:
        """Hold an answer against what was sent, and put it into the model."""
        owers = {each["member_id"]: each["amount"] for each in answer["participants"]}
        payers = {each["member_id"]: each["amount"] for each in answer["payers"]}
        assert sum(owers.values()) == sum(payers.values()) == body["amount"] == answer["amount"]
        exact = exact_shares(body, everybody)
        assert set(owers) == set(exact)
        # Items are rounded one by one before the charges are spread over them.
        bound = (
            1
            if body["split"] != "itemised"
            else 1 + len(body["items"]) * (1 + body["amount"] / sum(i["amount"] for i in body["items"]))
        )
        for member, share in exact.items():
            assert abs(owers[member] - share) < bound, (body, owers)
        self.model.entries[answer["expense_id"]] = Entry(
            answer["kind"], answer["currency"], answer["spent_on"], answer["amount"], payers, owers
        )
        self.versions[answer["expense_id"]] = answer["version"]

    @staticmethod
    def lasting(answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name not in {"expense_id", "created_at", "updated_at"}}

    @rule(data=st.data())
    def spend(self, data: st.DataObject) -> None:
        # Who gets the odd units differs from run to run, so nothing that is drawn may depend on who has a balance.
        self.has_tried = True
        body = self.body(data, self.active + self.former)
        is_named = [each in json.dumps(body) for each in self.former]
        is_settled = [all(who != each for who, _ in self.model.nets()) for each in self.former]
        tried = self.client.call("POST", f"{self.path}/expenses?dry_run=true", body)
        status, answer = self.client.call("POST", f"{self.path}/expenses", body)
        if any(named and settled for named, settled in zip(is_named, is_settled, strict=True)):
            assert (tried[0], status, answer["type"]) == (422, 422, "/problems/not-a-member")
            Ledger.refused += 1
            return
        if self.is_closed([tried, (status, answer)], body["spent_on"]):
            return
        assert (tried[0], status) == (200, 201), answer
        assert self.lasting(tried[1]) == self.lasting(answer)
        self.remember(body, answer, self.active)

    @precondition(lambda self: self.has_tried)
    @rule(data=st.data(), index=st.integers(0, 100))
    def change(self, data: st.DataObject, index: int) -> None:
        found = [key for key, entry in self.model.entries.items() if entry.kind != "settlement"]
        # All is drawn in any case.
        is_sent_back, days = data.draw(st.booleans()), data.draw(st.integers(0, 100))
        amount = data.draw(AMOUNTS)
        body = self.body(data, self.active)
        if not found:
            return
        chosen = found[index % len(found)]
        path = f"/expenses/{chosen}"
        before = self.get(path)
        version = f'"{before["version"]}"'
        if is_sent_back:
            # What was read can be sent back with another day, and another amount unless it follows from others.
            sent = before | {"spent_on": str(datetime.date(2024, 1, 1) + datetime.timedelta(days=days))}
            if before["split"] in {"equal", "percent", "shares"} and len(before["payers"]) == 1:
                sent["amount"] = amount
            status, answer = self.client.call("PATCH", self.path + path, sent, version)
            if self.is_closed([(status, answer)], before["spent_on"], sent["spent_on"]):
                return
            assert status == 200, answer
            if sent["amount"] == before["amount"]:
                assert answer["participants"] == before["participants"]
            self.remember(sent, answer, self.active)
            return
        # What the other way to split does not take must not be left from before.
        if "payers" not in body:
            body["payer"] = self.owner_id
        if body["split"] != "itemised" and "participants" not in body:
            body["participants"] = [{"member_id": each} for each in self.active]
        tried = self.client.call("PATCH", f"{self.path}{path}?dry_run=true", body, version)
        status, answer = self.client.call("PATCH", self.path + path, body, version)
        if self.is_closed([tried, (status, answer)], before["spent_on"], body["spent_on"]):
            return
        assert (tried[0], status) == (200, 200), answer
        assert self.lasting(tried[1]) == self.lasting(answer)
        self.remember(body, answer, self.active)

    @precondition(lambda self: self.has_tried)
    @rule(index=st.integers(0, 100))
    def delete(self, index: int) -> None:
        if not self.model.entries:
            return
        chosen = list(self.model.entries)[index % len(self.model.entries)]
        folder = "settlements" if self.model.entries[chosen].kind == "settlement" else "expenses"
        version = f'"{self.versions[chosen]}"'
        outdated = self.client.call("DELETE", f"{self.path}/{folder}/{chosen}", if_match='"999"')
        answer = self.client.call("DELETE", f"{self.path}/{folder}/{chosen}", if_match=version)
        if self.is_closed([outdated, answer], self.model.entries[chosen].day):
            return
        assert (outdated[0], answer[0]) == (412, 204)
        del self.model.entries[chosen]

    # --- settlements

    def settled(self, answer: dict[str, Any]) -> None:
        counted = answer["settles"] or answer
        self.model.entries[answer["settlement_id"]] = Entry(
            "settlement",
            counted["currency"],
            answer["settled_on"],
            counted["amount"],
            {answer["from"]: counted["amount"]},
            {answer["to"]: counted["amount"]},
        )
        self.versions[answer["settlement_id"]] = answer["version"]

    @precondition(lambda self: len(self.active) > 1)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        self.has_tried = True
        payer, payee = data.draw(st.lists(st.sampled_from(self.active), min_size=2, max_size=2, unique=True))
        body: dict[str, Any] = {
            "from": payer,
            "to": payee,
            "amount": data.draw(AMOUNTS),
            "currency": data.draw(st.sampled_from(CURRENCIES)),
            "settled_on": str(datetime.date(2024, 1, 1) + datetime.timedelta(days=data.draw(st.integers(0, 100)))),
        }
        if data.draw(st.booleans()):
            body["settles"] = {"amount": data.draw(AMOUNTS), "currency": "USD"}
        status, answer = self.client.call("POST", f"{self.path}/settlements", body)
        if self.is_closed([(status, answer)], body["settled_on"]):
            return
        assert status == 201, answer
        self.settled(answer)

    @precondition(lambda self: self.has_tried)
    @rule(index=st.integers(0, 100))
    def carry_out(self, index: int) -> None:
        plan = self.get("/settlement-plan")
        if not plan["items"]:
            return
        chosen = plan["items"][index % len(plan["items"])]
        assume_possible = chosen["amount"] <= 10**15
        status, answer = self.client.call(
            "POST", f"{self.path}/settlement-plan/transfers", chosen, f'"{plan["revision"]}"'
        )
        if not assume_possible:
            assert status == 422
            return
        assert status == 201, answer
        self.settled(answer)
        assert self.get("/settlement-plan")["items"] == [each for each in plan["items"] if each != chosen]

    # --- after every step

    @invariant()
    def balances_are_the_model_s(self) -> None:
        if not hasattr(self, "model"):
            return
        Ledger.steps += 1
        found = self.get("/balances")
        sums, nets = self.model.sums(), self.model.nets()
        for item in found["items"]:
            paid, owed = sums.get((item["member_id"], item["currency"]), (0, 0))
            assert (item["paid"], item["owed"], item["net"]) == (paid, owed, paid - owed)
            assert item["is_settled"] == (item["net"] == 0)
        listed = {(item["member_id"], item["currency"]) for item in found["items"]}
        assert set(nets) <= listed
        assert {who for who, _ in listed} >= set(self.active)
        for currency in CURRENCIES:
            assert sum(item["net"] for item in found["items"] if item["currency"] == currency) == 0
        assert found["is_settled"] == (not nets)

    @invariant()
    def debts_are_the_model_s(self) -> None:
        if not hasattr(self, "model"):
            return
        found = self.get("/debts")["items"]
        assert {(each["from"], each["to"], each["currency"]): each["amount"] for each in found} == self.model.debts()

    @invariant()
    def the_plan_settles_everything_with_the_fewest_transfers(self) -> None:
        if not hasattr(self, "model"):
            return
        plan = self.get("/settlement-plan")
        nets = self.model.nets()
        assert plan["fewest"] is True
        for currency in {currency for _, currency in nets}:
            here = {who: net for (who, its), net in nets.items() if its == currency}
            transfers = [each for each in plan["items"] if each["currency"] == currency]
            assert len(transfers) == fewest(list(here.values()))
            for each in transfers:
                assert each["amount"] > 0
                here[each["from"]] += each["amount"]
                here[each["to"]] -= each["amount"]
            assert set(here.values()) <= {0}
        assert {each["currency"] for each in plan["items"]} == {currency for _, currency in nets}

    @invariant()
    def balances_as_of_a_day_are_the_model_s(self) -> None:
        if not hasattr(self, "model"):
            return
        for day in ("2023-12-31", "2024-01-31", "2024-02-15", "2024-03-01"):
            found = {
                (item["member_id"], item["currency"]): item["net"]
                for item in self.get(f"/balances?as_of={day}")["items"]
                if item["net"]
            }
            assert found == self.model.nets(day)

    @invariant()
    def statements_go_from_one_day_s_net_to_the_other_s(self) -> None:
        if not hasattr(self, "model"):
            return
        found = self.get(f"/statement?member_id={self.owner_id}&from=2024-01-20&to=2024-02-20&limit=200")
        for balance in found["balances"]:
            currency = balance["currency"]
            first, last = (
                self.model.nets(day).get((self.owner_id, currency), 0) for day in ("2024-01-19", "2024-02-20")
            )
            assert (balance["opening"], balance["closing"]) == (first, last)
            assert first + sum(each["net"] for each in found["items"] if each["currency"] == currency) == last

    @invariant()
    def totals_are_the_model_s(self) -> None:
        if not hasattr(self, "model"):
            return
        with psycopg.connect(self.url, autocommit=True) as connection:
            rows = connection.execute(
                "select member_id::text, currency, kind, to_char(month, 'YYYY-MM'), paid, owed from totals"
                " where team_id = %s and (paid, owed) <> (0, 0)",
                [self.team_id],
            ).fetchall()
        assert {tuple(row[:4]): (row[4], row[5]) for row in rows} == self.model.totals()

    @invariant()
    def a_client_that_follows_the_changes_has_what_the_lists_have(self) -> None:
        if not hasattr(self, "model"):
            return
        # In pages of several sizes: those of one step do not always fit on one.
        self.mirror.follow(limit=1 + Ledger.steps % 3)
        assert self.mirror.held() == self.mirror.listed()


@pytest.fixture
def port(config):
    """The port of the service, which runs in a thread of its own."""
    ready, done = threading.Event(), asyncio.Event()
    found = {}

    async def serve() -> None:
        async with running(replace(config, access_token_seconds=86400)) as service:
            found["port"] = int(service.url.rsplit(":", 1)[1])
            found["loop"] = asyncio.get_running_loop()
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(60)
    yield found["port"]
    found["loop"].call_soon_threadsafe(done.set)
    thread.join(60)


def test_the_service_has_what_the_model_has(port, direct, capsys):
    client = Client(port)
    person = {"email": "fuzz@example.com", "password": PASSWORD, "name": "Fuzz"}
    status, registered = client.call("POST", "/v1/auth/register", person)
    assert status == 201
    client.token = registered["access_token"]
    Ledger.client, Ledger.url = client, direct
    Ledger.steps = Ledger.refused = 0
    settings = hypothesis.settings(
        max_examples=SEQUENCES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize="FUZZ_SEQUENCES" not in os.environ,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(Ledger, settings=settings)
    with capsys.disabled():
        sys.stdout.write(f"{Ledger.steps} states held against the model, {Ledger.refused} writes refused\n")
    # It did something.
    assert Ledger.steps > SEQUENCES
