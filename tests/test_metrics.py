"""What /metrics says: all that docs/metrics.md documents, nothing else, and nothing that a client sent."""

import asyncio
import re
import shutil
import subprocess
import threading
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from service.auth import passwords
from service.auth import sessions as revocation
from service.auth.attempts import failures_of_place_max
from service.auth.keys import SECURITY
from service.ops import monitor
from service.ops.keys import MONITOR
from service.telemetry.metrics import Metrics
from service.web.keys import DB
from tests.conftest import PASSWORD, running

ROOT = Path(__file__).parent.parent
LOGIN = "/v1/auth/login"


@pytest.fixture(autouse=True)
def _nothing_is_asked_beside_the_requests(monkeypatch):
    monkeypatch.setattr(monitor, "first_look_seconds", 3600)
    monkeypatch.setattr(revocation, "poll_seconds", 3600)


async def text_of(served):
    return (await served.call("GET", "/metrics")).body.decode()


async def use(served):
    """Do a little of everything that is measured; return the text of all metrics."""
    ann = await served.person()
    team = await ann.team()
    expense = await team.spend()
    await ann.get(f"{team.path}/expenses/{expense['expense_id']}")
    await served.call("POST", LOGIN, {"email": ann.email, "password": PASSWORD})
    await served.call("POST", LOGIN, {"email": ann.email, "password": "not the right one"})
    await served.app[MONITOR].look()
    return await text_of(served)


def exposed(text):
    """Return the type and the labels of each metric in Prometheus' text format."""
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    labels = defaultdict(set)
    for name, braces in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        labels[family if types.get(family) == "histogram" else name].update(re.findall(r'(\w+)="', braces))
    return {name: (kind, labels[name] - {"le"}) for name, kind in types.items()}


def documented():
    """Return the type and the labels of each metric in the tables of docs/metrics.md, but for those of the worker."""
    page = (ROOT / "docs/metrics.md").read_text().partition("## The worker")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| .+ \|$", page, re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


async def test_all_that_is_documented_is_there_and_nothing_else(config, db, monkeypatch):
    monkeypatch.setattr(monitor, "first_look_seconds", 0)
    async with running(config) as served:
        await served.metric("database_up", 1)
        await asyncio.sleep(monitor.lag_every_seconds * 1.5)
        # The first look has audited an empty ledger: the next one has something to tell of it.
        await db.execute("update audits set audited_at = null")
        assert exposed(await use(served)) == documented()


async def test_promtool_finds_nothing_to_complain_of(served):
    if not shutil.which("promtool"):
        pytest.skip("promtool, of Prometheus, is not installed")
    text = await use(served)
    done = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_no_label_holds_what_a_client_sent(served, ann, flat):
    mark = "zeppelin"
    await ann.get(f"/v1/{mark}")
    await ann.get(f"/v1/teams/{mark}")
    await ann.get(f"/v1/teams?after={mark}&{mark}={mark}")
    await ann.get(f"/problems/{mark}")
    await ann.get("/v1/me", headers={"X-Request-Id": mark, mark: mark, "Traceparent": mark, "User-Agent": mark})
    await ann.post("/v1/teams", {"name": mark, "currency": mark, mark: mark})
    await served.call("POST", LOGIN, {"email": f"{mark}@example.com", "password": mark * 2})
    await flat.spend(description=mark, category=mark, notes=mark)
    await served.app[MONITOR].look()
    text = await text_of(served)
    assert 'route="unmatched"' in text
    assert mark not in text.lower()
    assert flat.team_id not in text
    assert ann.user_id not in text


async def test_queries_are_timed_by_the_name_of_their_file(served, ann, flat):
    expense = await flat.spend()
    await ann.get(f"{flat.path}/expenses/{expense['expense_id']}")
    found = await served.metrics()
    assert found['database_query_seconds_count{query="expenses.get"}'] == 1
    assert found['database_query_seconds_count{query="expenses.create"}'] == 1
    names = {match[1] for name in found if (match := re.search(r'query="([^"]*)"', name))}
    files = {f"{path.parent.name}.{path.stem}" for path in (ROOT / "sql").rglob("*.sql")}
    assert names <= files


async def test_transactions_that_were_committed_are_timed(served, ann, flat):
    before = (await served.metrics())["database_transaction_seconds_count"]
    await flat.spend()
    await ann.get(flat.path)
    wrong = {"description": "Dinner", "amount": 1, "payer": flat.team_id}
    assert (await ann.post(f"{flat.path}/expenses", wrong)).status == 422
    found = await served.metrics()
    assert found["database_transaction_seconds_count"] == before + 1
    assert 0 < found["database_transaction_seconds_sum"] < 60


async def test_who_waits_for_a_connection_is_counted_and_timed(config):
    async with running(replace(config, pool_size=1, pool_wait_seconds=30)) as served:
        ann = await served.person()
        before = await served.metrics()
        assert before["database_pool_waiting"] == 0
        async with served.app[DB].connections.use():
            asking = asyncio.create_task(ann.get("/v1/me"))
            await served.metric("database_pool_waiting", 1)
            await asyncio.sleep(0.2)
            during = await served.metrics()
            assert during['database_pool_connections{state="in_use"}'] == 1
            assert during['database_pool_connections{state="idle"}'] == 0
        assert (await asking).status == 200
        after = await served.metrics()
        assert after["database_pool_waiting"] == 0
        name = "database_pool_acquire_seconds"
        # The one that waited, and the test itself.
        assert after[f"{name}_count"] == before[f"{name}_count"] + 2
        assert 0.2 <= after[f"{name}_sum"] - before[f"{name}_sum"] < 30


def test_what_is_kept_elsewhere_is_read_at_every_scrape():
    metrics, number, states = Metrics("3"), 1, {"idle": 2, "in_use": 0}
    metrics.gauge_of("a", "About a.", lambda: number)
    metrics.counter_of("b_total", "About b.", lambda: states, "state")
    assert metrics.text().splitlines() == [
        "# HELP a About a.",
        "# TYPE a gauge",
        'a{worker="3"} 1',
        "# HELP b_total About b.",
        "# TYPE b_total counter",
        'b_total{state="idle",worker="3"} 2',
        'b_total{state="in_use",worker="3"} 0',
    ]
    number, states["idle"] = 5, 7
    assert 'a{worker="3"} 5' in metrics.text()
    assert 'b_total{state="idle",worker="3"} 7' in metrics.text()


def test_a_duration_is_in_every_bucket_that_is_long_enough():
    metrics = Metrics()
    timings = metrics.timings("took_seconds", "About it.", "query")
    for seconds in (0.0, 0.001, 0.0011, 5.0, 5.1):
        timings.record(seconds, "a.b")
    found = dict(re.findall(r'le="([^"]+)",query="a.b"} (\S+)', metrics.text()))
    assert (len(found), found["0.001"], found["0.0025"], found["2.5"]) == (13, "2.0", "3.0", "3.0")
    assert (found["5.0"], found["+Inf"]) == ("4.0", "5.0")
    assert 'took_seconds_count{query="a.b"} 5.0' in metrics.text()
    assert float(re.search(r'_sum{query="a.b"} (\S+)', metrics.text())[1]) == pytest.approx(10.1021)


def test_a_count_that_is_expected_is_there_from_the_start():
    metrics = Metrics()
    counter = metrics.counter("c_total", "About c.", "kind")
    counter.expect("a")
    counter.count("b")
    counter.count("b")
    counter.expect("b")
    assert metrics.text().splitlines()[2:] == ['c_total{kind="a"} 0', 'c_total{kind="b"} 2']


def logins(found):
    return {outcome: found[f'logins_total{{outcome="{outcome}"}}'] for outcome in documented_outcomes()}


def documented_outcomes():
    [row] = [
        line for line in (ROOT / "docs/metrics.md").read_text().splitlines() if line.startswith("| `logins_total`")
    ]
    return re.findall(r"`(\w+)`", row.split("|")[4])


async def test_log_ins_are_counted_by_their_outcome(served, ann, monkeypatch):
    right = {"email": ann.email, "password": PASSWORD}
    grant = {"grant_type": "password", "username": ann.email, "password": PASSWORD}
    counts = dict.fromkeys(documented_outcomes(), 0)
    assert counts.keys() == served.app[SECURITY].logins.keys()
    # An increase can be seen only from a number that was there before.
    assert logins(await served.metrics()) == counts
    await served.call("POST", LOGIN, right)
    await served.call("POST", "/v1/auth/token", data=grant)
    assert logins(await served.metrics()) == counts | {"succeeded": 2}
    for _ in range(failures_of_place_max):
        await served.call("POST", LOGIN, right | {"password": "not the right one"})
    assert (await served.call("POST", LOGIN, right)).status == 429
    counts |= {"succeeded": 2, "failed": failures_of_place_max, "limited": 1}
    assert logins(await served.metrics()) == counts
    monkeypatch.setattr(passwords, "hash_queue_max", 0)
    assert (await served.call("POST", LOGIN, right | {"email": "bob@example.com"})).status == 503
    assert logins(await served.metrics()) == counts | {"unavailable": 1}


async def test_passwords_that_wait_for_their_hash_are_counted_and_timed(config, served):
    may_end = threading.Event()
    for _ in range(config.argon2_threads):
        served.app[SECURITY].passwords.executor.submit(may_end.wait)
    registering = asyncio.create_task(served.person())
    await served.metric("password_hashes_pending", 1)
    await asyncio.sleep(0.2)
    may_end.set()
    await registering
    found = await served.metrics()
    assert found["password_hashes_pending"] == 0
    assert found["password_hash_seconds_count"] == 1
    assert 0.2 <= found["password_hash_seconds_sum"] < 60


async def test_an_event_loop_that_is_held_up_shows_as_lag(served):
    await asyncio.sleep(monitor.lag_every_seconds * 2)
    before = (await served.metrics())["event_loop_lag_seconds_sum"]
    time.sleep(0.6)  # noqa: ASYNC251 -- this is what must not happen.
    await asyncio.sleep(0.05)
    after = (await served.metrics())["event_loop_lag_seconds_sum"]
    assert 0.6 - monitor.lag_every_seconds <= after - before < 5
