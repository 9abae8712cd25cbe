"""The check of every answer against the OpenAPI document, itself checked: what is not declared turns it red."""

import copy

import orjson
import pytest
from multidict import CIMultiDict

from service.web.keys import DOCUMENT
from tests.conftest import Answer
from tests.contract import Contract


@pytest.fixture
async def answers(served, ann, flat):
    """The path of an expense, and an answer and a refusal of it."""
    path = f"{flat.path}/expenses/{(await flat.spend())['expense_id']}"
    return path, await ann.get(path), await ann.get(f"{path[:-4]}0000")


def changed(served, change):
    document = orjson.loads(served.app[DOCUMENT])
    change(document["paths"]["/v1/teams/{team_id}/expenses/{expense_id}"]["get"]["responses"])
    return Contract(orjson.dumps(document))


def swap(responses):
    """Declare another refusal of the same status in place of the one that there is."""
    schema = responses["404"]["content"]["application/problem+json"]["schema"]
    schema["allOf"][1]["properties"]["type"]["enum"] = ["/problems/forbidden"]


async def test_it_accepts_what_is_declared(served, answers):
    path, found, refused = answers
    assert (found.status, refused.status, refused.body["type"]) == (200, 404, "/problems/not-found")
    for answer in (found, refused):
        changed(served, lambda _: None).check("GET", path, answer)


async def test_it_refuses_a_problem_type_that_the_endpoint_does_not_declare(served, answers):
    path, found, refused = answers
    contract = changed(served, swap)
    contract.check("GET", path, found)
    with pytest.raises(AssertionError, match="not-found"):
        contract.check("GET", path, refused)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda answer: answer.headers.pop("ETag"), "lacks .*ETag"),
        (lambda answer: answer.headers.update(Location="/"), "Location.*not documented"),
        (lambda answer: answer.body.update(secret=1), "secret"),
        (lambda answer: answer.body.pop("amount"), "amount"),
        (lambda answer: setattr(answer, "status", 201), "not documented"),
        (lambda answer: answer.headers.update({"Content-Type": "text/plain"}), "not documented to be text/plain"),
    ],
)
async def test_it_refuses_what_is_not_as_it_is_declared(served, answers, change, says):
    path, found, _ = answers
    wrong = Answer(found.status, copy.deepcopy(found.body), CIMultiDict(found.headers))
    change(wrong)
    with pytest.raises(AssertionError, match=says):
        changed(served, lambda _: None).check("GET", path, wrong)


async def test_every_created_thing_is_read_where_a_route_is(served):
    names = {route.name for route in served.app.router.routes()}
    created = {
        route.handler.answer.at
        for route in served.app.router.routes()
        if hasattr(getattr(route.handler, "answer", None), "at")
    }
    assert created == {"me.get", "teams.get", "members.get", "expenses.get", "settlements.get"}
    assert created <= names
