"""Access tokens: what is taken for one, and for how long."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import time
import uuid
from dataclasses import replace

import pytest

from service.actor import Actor
from service.auth import service as auth
from service.auth import tokens as module
from service.auth.tokens import Tokens
from service.config import Config
from service.errors import Unauthenticated
from tests.conftest import running

path = "/v1/me"
good_header = {"alg": "HS256", "typ": "at+jwt"}
hour_seconds = 3600


def encode(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def sign(config, header, claims, secret=None, hash_name="sha256"):
    """Return a token without PyJWT, which would not make most of these."""
    signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
    key = config.jwt_secret.encode() if secret is None else secret
    return f"{signed}.{encode(hmac.digest(key, signed.encode(), hash_name))}"


def without(claims, name):
    return {key: value for key, value in claims.items() if key != name}


def unsigned(header, claims):
    return f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}."


def stranger_key():
    return {"kty": "oct", "k": encode(b"k" * 32)}


# Each is a good token but for one thing. They are made from the configuration and the claims of a good one.
forgeries = {
    "alg none": lambda _, claims: unsigned({"alg": "none", "typ": "at+jwt"}, claims),
    "alg None": lambda _, claims: unsigned({"alg": "None", "typ": "at+jwt"}, claims),
    "alg NONE": lambda _, claims: unsigned({"alg": "NONE", "typ": "at+jwt"}, claims),
    "alg none with a signature": lambda config, claims: sign(config, {"alg": "none", "typ": "at+jwt"}, claims),
    "alg missing": lambda config, claims: sign(config, {"typ": "at+jwt"}, claims),
    "alg null": lambda config, claims: sign(config, good_header | {"alg": None}, claims),
    "alg list": lambda config, claims: sign(config, good_header | {"alg": ["HS256"]}, claims),
    "alg hs256": lambda config, claims: sign(config, good_header | {"alg": "hs256"}, claims),
    "alg HS384": lambda config, claims: sign(config, good_header | {"alg": "HS384"}, claims, hash_name="sha384"),
    "alg HS512": lambda config, claims: sign(config, good_header | {"alg": "HS512"}, claims, hash_name="sha512"),
    "alg RS256": lambda config, claims: sign(config, good_header | {"alg": "RS256"}, claims),
    "empty signature": lambda _, claims: unsigned(good_header, claims),
    "stripped signature": lambda _, claims: unsigned(good_header, claims)[:-1],
    "half a signature": lambda config, claims: sign(config, good_header, claims)[:-20],
    "another's claims": lambda config, claims: ".".join(
        [
            *unsigned(good_header, claims | {"sub": str(uuid.uuid4())}).split(".")[:2],
            sign(config, good_header, claims).split(".")[2],
        ]
    ),
    "foreign secret": lambda config, claims: sign(config, good_header, claims, b"f" * 32),
    "empty secret": lambda config, claims: sign(config, good_header, claims, b""),
    "kid path, its secret": lambda config, claims: sign(
        config, good_header | {"kid": "../../../../dev/null"}, claims, b""
    ),
    "kid SQL, its secret": lambda config, claims: sign(
        config, good_header | {"kid": "x' union select 'k' --"}, claims, b"k" * 32
    ),
    "jwk header, its secret": lambda config, claims: sign(
        config, good_header | {"jwk": stranger_key()}, claims, b"k" * 32
    ),
    "jku header": lambda config, claims: sign(
        config, good_header | {"jku": "http://127.0.0.1:9/keys"}, claims, b"k" * 32
    ),
    "kid number": lambda config, claims: sign(config, good_header | {"kid": 1}, claims),
    "crit header": lambda config, claims: sign(config, good_header | {"crit": ["x"], "x": True}, claims),
    "b64 header": lambda config, claims: sign(config, good_header | {"crit": ["b64"], "b64": False}, claims),
    "typ JWT": lambda config, claims: sign(config, good_header | {"typ": "JWT"}, claims),
    "typ missing": lambda config, claims: sign(config, {"alg": "HS256"}, claims),
    "typ list": lambda config, claims: sign(config, good_header | {"typ": ["at+jwt"]}, claims),
    "header list": lambda config, claims: sign(config, [good_header], claims),
    "claims list": lambda config, claims: sign(config, good_header, [claims]),
    "expired": lambda config, claims: sign(config, good_header, claims | {"exp": claims["iat"] - 1}),
    "exp missing": lambda config, claims: sign(config, good_header, without(claims, "exp")),
    "exp text": lambda config, claims: sign(config, good_header, claims | {"exp": "tomorrow"}),
    "nbf in the future": lambda config, claims: sign(config, good_header, claims | {"nbf": time.time() + hour_seconds}),
    "iat in the future": lambda config, claims: sign(config, good_header, claims | {"iat": time.time() + hour_seconds}),
    "iat missing": lambda config, claims: sign(config, good_header, without(claims, "iat")),
    "iss wrong": lambda config, claims: sign(config, good_header, claims | {"iss": "other"}),
    "iss missing": lambda config, claims: sign(config, good_header, without(claims, "iss")),
    "iss list": lambda config, claims: sign(config, good_header, claims | {"iss": [claims["iss"]]}),
    "aud wrong": lambda config, claims: sign(config, good_header, claims | {"aud": "other"}),
    "aud missing": lambda config, claims: sign(config, good_header, without(claims, "aud")),
    "aud list": lambda config, claims: sign(config, good_header, claims | {"aud": [claims["aud"], "other"]}),
    "sub missing": lambda config, claims: sign(config, good_header, without(claims, "sub")),
    "sub number": lambda config, claims: sign(config, good_header, claims | {"sub": 1}),
    "sub null": lambda config, claims: sign(config, good_header, claims | {"sub": None}),
    "sub no uuid": lambda config, claims: sign(config, good_header, claims | {"sub": "ann"}),
    "sid missing": lambda config, claims: sign(config, good_header, without(claims, "sid")),
    "sid number": lambda config, claims: sign(config, good_header, claims | {"sid": 1}),
    "sid no uuid": lambda config, claims: sign(config, good_header, claims | {"sid": "x"}),
    "too long": lambda config, claims: sign(config, good_header, claims | {"x": "x" * 2000}),
    "nested deeply": lambda _, __: encode(b"[" * 700) + ".e30.x",
    "not UTF-8 inside": lambda _, __: encode(b"\xff") + "." + encode(b"\xff") + ".x",
    "three dots": lambda _, __: "...",
    "JSON": lambda _, claims: json.dumps(claims),
    "other alphabet": lambda _, __: "é.ü.😀",
}

headers_without_token = (
    "",
    "Bearer",
    "Bearer ",
    "Basic YW5uOmNvcnJlY3QgaG9yc2U=",
    "Token {token}",
    "{token}",
    "Bearer{token}",
    "Bearer {token} {token}",
    "Bearer Bearer {token}",
    "Bearer {token},",
    'Bearer "{token}"',
)


async def refused(served, authorization, what=""):
    """Return the one answer that there is to everything that is no good token."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await served.call("GET", path, headers=headers)
    assert (what, answer.status) == (what, 401)
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="expenses"'
    return answer.body | {"instance": ""}


async def test_it_takes_a_good_token(served, ann, config):
    # All that follows is told apart from this one.
    header, claims = (decode(part) for part in ann.token.split(".")[:2])
    assert header == good_header
    assert (await served.call("GET", path, token=sign(config, good_header, claims))).status == 200
    assert (await served.call("GET", path, headers={"Authorization": f"bearer  {ann.token} "})).status == 200


async def test_it_refuses_forged_tokens(config, subtests):
    # A secret that is long enough for HS512, so that the algorithm itself is what is refused.
    config = replace(config, jwt_secret="s" * 64)
    async with running(config) as served:
        person = await served.person()
        claims = decode(person.token.split(".")[1])
        nothing = await refused(served, None)
        for name, forge in forgeries.items():
            with subtests.test(name):
                # Only who had a token of ours is told that it has expired.
                expected = (
                    nothing if name != "expired" else await refused(served, f"Bearer {forge(config, claims)}", name)
                )
                assert (name, await refused(served, f"Bearer {forge(config, claims)}", name)) == (name, expected)
        assert (await served.call("GET", path, token=sign(config, good_header, claims))).status == 200


async def test_it_refuses_headers_without_a_token(served, ann, subtests):
    nothing = await refused(served, None)
    for header in headers_without_token:
        with subtests.test(header):
            assert (header, await refused(served, header.format(token=ann.token), header)) == (header, nothing)


async def test_it_refuses_a_token_of_a_megabyte(served):
    # The parser of the headers refuses it before the service sees it.
    headers = {"Authorization": "Bearer " + "x" * 1_000_000}
    async with served.http.get(served.url + path, headers=headers) as response:
        assert response.status == 431
    assert (await served.call("GET", path)).status == 401


async def test_it_refuses_a_good_token_in_the_query(served, ann):
    assert (await served.call("GET", f"{path}?access_token={ann.token}")).status == 401


async def test_it_gives_tokens_that_say_no_more_than_they_must(ann):
    claims = decode(ann.token.split(".")[1])
    assert claims.keys() == {"iss", "aud", "sub", "sid", "iat", "exp"}
    assert claims["exp"] - claims["iat"] == 900
    assert abs(claims["iat"] - time.time()) < 10


async def test_it_refuses_the_tokens_of_a_session_that_ended(ann, db):
    assert (await ann.get(path)).status == 200
    await db.execute("update sessions set revoked_at = now()")
    await ann.service.until_refused(ann.token)
    answer = await ann.get(path)
    assert answer.status == 401
    assert answer.body["detail"] == "This session has ended. Log in again."


async def test_it_refuses_a_token_that_was_good_until_just_now(served, ann, config):
    claims = decode(ann.token.split(".")[1])
    # Seconds are whole in a token: it is good for at least two, also where the machine is busy.
    expires_at = int(time.time()) + 3
    token = sign(config, good_header, claims | {"exp": expires_at})
    assert (await served.call("GET", path, token=token)).status == 200
    await asyncio.sleep(expires_at - time.time())
    answer = await served.call("GET", path, token=token)
    assert answer.status == 401
    assert answer.body["detail"] == "The access token has expired: POST /v1/auth/refresh, or log in again."


def tokens_of(secret="s" * 32):
    return Tokens(secret)


def test_it_remembers_no_more_than_so_many_tokens(monkeypatch):
    monkeypatch.setattr(module, "verified_tokens_max", 3)
    tokens = tokens_of()
    for _ in range(10):
        actor = Actor(str(uuid.uuid4()), str(uuid.uuid4()))
        assert tokens.actor(tokens.access(actor)) == actor
        assert len(tokens.verified) <= 3


def test_it_remembers_no_token_that_it_refused():
    tokens = tokens_of()
    for token in ("x", "x" * 2000, tokens_of("t" * 32).access(Actor(str(uuid.uuid4()), str(uuid.uuid4())))):
        with pytest.raises(Unauthenticated):
            tokens.actor(token)
    assert tokens.verified == {}


def test_its_refresh_tokens_cannot_be_guessed():
    session_id = str(uuid.uuid4())
    made = {tokens_of().first_refresh(session_id) for _ in range(100)}
    assert len(made) == 100
    assert {len(base64.urlsafe_b64decode(each)) for each in made} == {16 + 32}
    assert {tokens_of().session_id(each) for each in made} == {session_id}


def test_its_next_refresh_token_is_known_only_with_the_secret():
    session_id = str(uuid.uuid4())
    token = tokens_of().first_refresh(session_id)
    [following] = tokens_of().next_refreshes(token)
    assert tokens_of().next_refreshes(token) == [following]
    assert tokens_of("t" * 32).next_refreshes(token) != [following]
    assert tokens_of().session_id(following) == session_id
    assert base64.urlsafe_b64decode(following)[16:] != hashlib.sha256(token.encode()).digest()


def signed_by(token, secret):
    header, claims, signature = token.split(".")
    return hmac.compare_digest(encode(hmac.digest(secret.encode(), f"{header}.{claims}".encode(), "sha256")), signature)


FIRST, SECOND = "1" * 32, "2" * 32


def test_it_takes_what_another_secret_signed_and_signs_with_its_own():
    actor, session_id = Actor(str(uuid.uuid4()), str(uuid.uuid4())), str(uuid.uuid4())
    old, both, alone = (
        Tokens(FIRST),
        Tokens(SECOND, other_secret=FIRST),
        Tokens(SECOND),
    )
    access, refresh = old.access(actor), old.first_refresh(session_id)
    assert (both.actor(access), both.session_id(refresh)) == (actor, session_id)
    for refused, token in ((alone.actor, access), (alone.session_id, refresh)):
        with pytest.raises(Unauthenticated):
            refused(token)
    assert signed_by(both.access(actor), SECOND)
    for token in (both.first_refresh(session_id), both.next_refreshes(refresh)[0]):
        assert alone.session_id(token) == session_id


def test_it_derives_the_same_tokens_whichever_secret_is_its_own():
    refresh = Tokens(FIRST).first_refresh(str(uuid.uuid4()))
    before = Tokens(FIRST, other_secret=SECOND).next_refreshes(refresh)
    after = Tokens(SECOND, other_secret=FIRST).next_refreshes(refresh)
    assert before == after[::-1]
    assert before[:1] == Tokens(FIRST).next_refreshes(refresh)
    assert len(set(before)) == 2


def test_a_secret_that_is_not_set_signs_nothing():
    # An empty one would be everybody's.
    tokens = Tokens(FIRST, other_secret="")
    claims = {"iss": "expenses", "aud": "expenses-api", "sub": str(uuid.uuid4()), "sid": str(uuid.uuid4())}
    claims |= {"iat": int(time.time()), "exp": int(time.time()) + 60}
    with pytest.raises(Unauthenticated):
        tokens.actor(sign(Config(), good_header, claims, b""))
    content = uuid.uuid4().bytes + bytes(16)
    with pytest.raises(Unauthenticated):
        tokens.session_id(base64.urlsafe_b64encode(content + hmac.digest(b"", content, "sha256")[:16]).decode())


def test_an_expired_token_of_the_other_secret_is_told_that_it_expired():
    old = Tokens(FIRST)
    old.lifetime_seconds = -1
    with pytest.raises(Unauthenticated, match="has expired"):
        Tokens(SECOND, other_secret=FIRST).actor(old.access(Actor(str(uuid.uuid4()), str(uuid.uuid4()))))


@pytest.fixture
async def rotation(config):
    """A service in each step of a rotation: before it, with the new secret accepted, with both swapped, after it."""
    steps = [
        replace(config, jwt_secret=FIRST),
        replace(config, jwt_secret=FIRST, jwt_secret_other=SECOND),
        replace(config, jwt_secret=SECOND, jwt_secret_other=FIRST),
        replace(config, jwt_secret=SECOND),
    ]
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running(step)) for step in steps]


async def refreshed(service, token):
    answer = await service.call("POST", "/v1/auth/refresh", {"refresh_token": token})
    assert answer.status == 200, answer.body
    return answer.body["refresh_token"]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_refresh_that_is_repeated_elsewhere_in_a_rotation_leads_to_the_same_token(
    rotation, monkeypatch, *, at_once
):
    """Whichever step came first: a client may repeat a request whose answer was lost, and a proxy chooses where."""
    # However slow the machine is.
    monkeypatch.setattr(auth, "grace_seconds", 600.0)
    used = []
    for before, after in itertools.pairwise(rotation):
        for first, second in ((before, after), (after, before)):
            # Of a session that the later step knows: the last one does not know the first secret any more.
            token = (await (after if after is rotation[-1] else first).person()).refresh_token
            if at_once:
                found = await asyncio.gather(*(refreshed(each, token) for each in (first, second) * 3))
            else:
                found = [await refreshed(each, token) for each in (first, second, first)]
            assert len(set(found)) == 1
            used.append((first, second, found[0]))
    for first, second, token in used:
        # The session goes on, and its next token is the same everywhere as well.
        assert await refreshed(second, token) == await refreshed(first, token)


async def test_a_secret_is_exchanged_in_three_steps_and_nobody_is_logged_out(rotation):
    """While each step is rolled out, replicas of it and of the step before answer the same client."""
    ann = await rotation[0].person()
    tokens = {"access_token": ann.token, "refresh_token": ann.refresh_token}
    for before, after in itertools.pairwise(rotation):
        for service in (after, before, after):
            assert (await service.call("GET", path, token=tokens["access_token"])).status == 200
            answer = await service.call("POST", "/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
            assert answer.status == 200
            tokens = answer.body
    assert signed_by(tokens["access_token"], SECOND)
    # Who was away during all of it is out: the first secret is worth nothing any more.
    assert (await rotation[-1].call("GET", path, token=ann.token)).status == 401
    assert (await rotation[1].call("GET", path, token=ann.token)).status == 200


def claims_at(issued_at, expires_at):
    ids = {"sub": str(uuid.uuid4()), "sid": str(uuid.uuid4())}
    return {"iss": module.issuer, "aud": module.audience, "iat": issued_at, "exp": expires_at} | ids


@pytest.mark.parametrize(("ahead_seconds", "is_accepted"), [(3, True), (9, True), (13, False)])
def test_a_token_of_a_replica_whose_clock_is_ahead_is_good_at_once(config, ahead_seconds, is_accepted):
    claims = claims_at(int(time.time()) + ahead_seconds, int(time.time()) + 900)
    token, tokens = sign(config, good_header, claims), tokens_of(config.jwt_secret)
    if is_accepted:
        assert tokens.actor(token).user_id == claims["sub"]
    else:
        with pytest.raises(Unauthenticated):
            tokens.actor(token)


def test_a_token_is_good_for_no_longer_than_this_process_remembers_ended_sessions():
    # As while a shorter lifetime is rolled out: the process before it signs tokens for longer.
    before, after = Tokens(FIRST, lifetime_seconds=900), Tokens(FIRST, lifetime_seconds=60)
    claims = claims_at(int(time.time()) - 61, int(time.time()) + 839)
    token = sign(Config(jwt_secret=FIRST), good_header, claims)
    assert before.actor(token).user_id == claims["sub"]
    with pytest.raises(Unauthenticated, match="expired"):
        after.actor(token)


def test_no_leeway_makes_a_token_live_longer(config):
    claims = claims_at(int(time.time()) - 60, int(time.time()) - 1)
    with pytest.raises(Unauthenticated, match="expired"):
        tokens_of(config.jwt_secret).actor(sign(config, good_header, claims))
