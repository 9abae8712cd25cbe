"""GET /openapi.json."""

import orjson
from openapi_spec_validator import OpenAPIV31SpecValidator

from service import __main__ as command
from service.app import create_app
from service.config import Config
from service.routes import routes
from service.web.keys import DOCUMENT


async def test_it_is_valid_openapi_3_1(served):
    answer = await served.call("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.body["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(answer.body).validate()


async def test_it_has_every_route_and_nothing_else(served):
    document = (await served.call("GET", "/openapi.json")).body
    documented = {
        (method.upper(), path, operation["operationId"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert documented == {(method, path, name) for method, path, _, name in routes}


async def test_every_operation_says_what_it_is_for(served, subtests):
    document = (await served.call("GET", "/openapi.json")).body
    for operations in document["paths"].values():
        for operation in operations.values():
            with subtests.test(operation["operationId"]):
                assert operation["summary"].endswith("."), operation
                assert operation["tags"]
                assert (
                    "200" in operation["responses"]
                    or "201" in operation["responses"]
                    or "204" in operation["responses"]
                )


async def test_all_but_log_in_and_operations_take_an_access_token(served, subtests):
    document = (await served.call("GET", "/openapi.json")).body
    for path, operations in document["paths"].items():
        for operation in operations.values():
            with subtests.test(operation["operationId"]):
                public = (
                    not path.startswith("/v1")
                    or path == "/v1/currencies"
                    or (path.startswith("/v1/auth/") and path != "/v1/auth/logout")
                )
                assert (operation["security"] == []) == public, path


async def test_the_second_app_of_a_process_has_the_same_document(config):
    # aiohttp-apispec's own builder takes the schemas off the handlers; then no later one has any.
    first, second = create_app(config)[DOCUMENT], create_app(config)[DOCUMENT]
    assert first == second
    assert "requestBody" in orjson.loads(second)["paths"]["/v1/teams"]["post"]


def test_the_command_line_prints_it(capsys):
    command.print_document(Config())
    assert orjson.loads(capsys.readouterr().out)["info"]["title"] == "Team Expense Tracker API"


def test_every_handler_has_its_route_s_name(subtests):
    for _, _, handler, name in routes:
        with subtests.test(name):
            feature = handler.__module__.split(".")[1]
            assert name == f"{feature}.{handler.__name__}"


async def test_every_answer_has_an_example_that_is_one(served, subtests):
    contract = served.contract
    tried = 0
    for path, operations in contract.document["paths"].items():
        for method, operation in operations.items():
            for code, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if not content or not path.startswith("/v1") or int(code) >= 400:
                    continue
                with subtests.test(f"{method} {path} {code}"):
                    contract.validate(content["schema"], content["example"], f"{method} {path} {code}")
                    tried += 1
    assert tried > 20
