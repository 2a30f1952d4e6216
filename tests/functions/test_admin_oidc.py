"""Administrators by tokens: a small issuer on loopback with real keys, and every forgery that is known to work
somewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.admin_api_keys.api_keys import admin_api_keys_app
from functions.admin_session.session import admin_session_app
from shared.errors import Forbidden, RateLimited
from shared.providers.upstream import PooledUpstream
from shared.settings import SettingsError, read_settings
from shared.store.client_keys import ClientKeys
from shared.store.limits import LimitTable
from shared.store.tables import Tables
from shared.web.admin_access import NoAccess, OpenAccess, Sessions, admin_access
from shared.web.admin_attempts import Attempts
from shared.web.admin_oidc import Issuer, OidcAccess
from tests.functions.admin_calls import client
from tests.providers.loopback import Answer, Loopback, loopback

PATH = "/api/admin/api-keys"
DISCOVERY = "/.well-known/openid-configuration"
AUDIENCE = "dashboard"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
SMALL = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 - it must be refused


def jwk(key: Any, kid: str, **fields: str) -> dict[str, Any]:
    algorithm = (
        jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
    )
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **fields}


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class House:
    """The issuer, the admin API that trusts it, and tokens."""

    def __init__(self, server: Loopback, upstream: PooledUpstream) -> None:
        self.server = server
        self.clock = Clock()
        self.issuer = Issuer(server.url, upstream, clock=self.clock)
        self.publish(jwk(RSA_KEY, "one"), jwk(EC_KEY, "two", alg="ES256"))

    def publish(self, *keys: dict[str, Any], **fields: Any) -> None:
        document = {"issuer": self.server.url, "jwks_uri": f"{self.server.url}/keys", **fields}
        self.server.on("GET", DISCOVERY, Answer(document))
        self.server.on("GET", "/keys", Answer({"keys": list(keys)}))

    def claims(self, **fields: Any) -> dict[str, Any]:
        now = int(time.time())
        standard = {"iss": self.server.url, "aud": AUDIENCE, "sub": "7", "iat": now, "nbf": now, "exp": now + 300}
        return {name: value for name, value in {**standard, **fields}.items() if value is not None}

    def token(
        self, key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "one", header: Any = None, **fields: Any
    ) -> str:
        headers = {**({"kid": kid} if kid is not None else {}), **(header or {})}
        return jwt.encode(self.claims(**fields), key, algorithm, headers=headers)

    async def admit(self, token: str, audience: str = AUDIENCE, group: str | None = None) -> str:
        scope = {"headers": [(b"authorization", f"Bearer {token}".encode("latin-1", "replace"))]}
        return (await OidcAccess(self.issuer, audience, group).admit(scope)).user


@pytest.fixture
async def house() -> AsyncIterator[House]:
    upstream = PooledUpstream()
    async with loopback() as server:
        yield House(server, upstream)
    await upstream.aclose()


@pytest.fixture(scope="module")
def keys(shared_tables: Tables) -> ClientKeys:
    return ClientKeys(shared_tables)


@pytest.fixture
async def guarded(house: House, keys: ClientKeys, shared_tables: Tables) -> AsyncIterator[httpx.AsyncClient]:
    app: FastAPI = admin_api_keys_app(keys, LimitTable(shared_tables), OidcAccess(house.issuer, AUDIENCE))
    async with client(app) as calls:
        yield calls


@pytest.mark.parametrize(
    ("groups", "group", "viewers", "role"),
    [
        (["admins"], "admins", "viewers", "admin"),
        (["viewers"], "admins", "viewers", "viewer"),
        (["viewers", "admins"], "admins", "viewers", "admin"),
        (["viewers"], None, "viewers", "viewer"),
        ([], None, "viewers", "admin"),
        ([], None, None, "admin"),
    ],
)
async def test_a_group_says_who_may_change_something(
    house: House, groups: list[str], group: str | None, viewers: str | None, role: str
) -> None:
    access = OidcAccess(house.issuer, AUDIENCE, group, viewers)
    scope = {"headers": [(b"authorization", f"Bearer {house.token(groups=groups)}".encode())]}
    assert (await access.admit(scope)).role == role
    if group and viewers:
        stranger = {"headers": [(b"authorization", f"Bearer {house.token(groups=['others'])}".encode())]}
        with pytest.raises(Forbidden):
            await access.admit(stranger)


async def test_a_good_token_opens(house: House, guarded: httpx.AsyncClient) -> None:
    for token in (house.token(), house.token(EC_KEY, "ES256", "two")):
        answer = await guarded.get(PATH, headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()) == (200, {"items": []})
    assert house.server.paths() == [f"GET {DISCOVERY}", "GET /keys"]


@pytest.mark.parametrize(
    "fields",
    [
        {"aud": ["other", AUDIENCE]},
        {"aud": None, "client_id": AUDIENCE, "token_use": "access"},  # Cognito's access tokens
        {"exp": timedelta(seconds=-30)},
        {"nbf": timedelta(seconds=40)},
        {"iat": timedelta(seconds=40)},
        {"nbf": None, "iat": None},
    ],
)
async def test_what_is_good_besides(house: House, fields: dict[str, Any]) -> None:
    now = int(time.time())
    made = {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in fields.items()
    }
    assert await house.admit(house.token(**made)) == "7"


async def test_the_user_is_named(house: House) -> None:
    assert await house.admit(house.token(email="ada@example.org", username="x")) == "ada@example.org"
    assert await house.admit(house.token(username="ada")) == "ada"


def forgeries(house: House) -> dict[str, str]:
    good = house.token()
    head, body, signature = good.split(".")
    now = int(time.time())
    claims = b64(json.dumps(house.claims()).encode())

    def signed_as_hs256(secret: bytes) -> str:
        start = b64(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "one"}).encode()) + "." + claims
        return f"{start}.{b64(hmac.new(secret, start.encode(), hashlib.sha256).digest())}"

    def unsigned(algorithm: str) -> str:
        return b64(json.dumps({"alg": algorithm, "kid": "one"}).encode()) + f".{claims}."

    other_body = b64(json.dumps(house.claims(sub="root")).encode())
    return {
        "signed by a stranger": house.token(STRANGER),
        "signed by a stranger who sends the key along": house.token(STRANGER, header={"jwk": jwk(STRANGER, "one")}),
        "a key elsewhere": house.token(STRANGER, header={"jku": f"{house.server.url}/mine"}),
        "other claims under the signature": f"{head}.{other_body}.{signature}",
        "no signature": f"{head}.{body}.",
        "cut signature": f"{head}.{body}.{signature[:-10]}",
        "expired": house.token(exp=now - 61),
        "expires never": house.token(exp=None),
        "expires as text": house.token(exp="tomorrow"),
        "not yet valid": house.token(nbf=now + 90),
        "made tomorrow": house.token(iat=now + 86_400),
        "wrong audience": house.token(aud="other"),
        "wrong audiences": house.token(aud=["other", "another"]),
        "an audience that begins the same": house.token(aud=AUDIENCE + "2"),
        "an audience that contains it": house.token(aud=f"x {AUDIENCE}"),
        "no audience": house.token(aud=None),
        "another audience beside our client": house.token(aud="other", client_id=AUDIENCE),
        "another client": house.token(aud=None, client_id="other"),
        "wrong issuer": house.token(iss="https://issuer.example"),
        "issuer with a slash": house.token(iss=house.server.url + "/"),
        "no issuer": house.token(iss=None),
        "alg none": unsigned("none"),
        "alg NONE": unsigned("NONE"),
        "alg empty": unsigned(""),
        "HS256 with the public key as secret": signed_as_hs256(public_pem(RSA_KEY)),
        "HS256 with the key's modulus": signed_as_hs256(jwk(RSA_KEY, "one")["n"].encode()),
        "HS256 with an empty secret": signed_as_hs256(b""),
        "RS512": house.token(algorithm="RS512"),
        "PS256": house.token(algorithm="PS256"),
        "the other key's id": house.token(kid="two"),
        "no key id": house.token(kid=None),
        "unknown key id": house.token(kid="three"),
        "unknown extensions": house.token(header={"crit": ["b64"], "b64": True}),
        "not a token": "anything",
        "empty parts": "..",
        "four parts": f"{good}.x",
        "too long": house.token(padding="x" * 20_000),
    }


async def test_every_forgery_is_refused(
    house: House, guarded: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for number, (name, token) in enumerate(forgeries(house).items()):
        # each from an address of its own: after twenty failures one is not listened to
        guarded._transport.client = (f"10.0.0.{number}", 1)  # type: ignore[attr-defined]
        answer = await guarded.post(PATH, content=b"{", headers={"authorization": f"Bearer {token}"})
        assert (name, answer.status_code, answer.json()) == (name, 401, {"error": "Unauthorized"})
        if len(token) > 20:
            assert token not in caplog.text
    good = await guarded.get(PATH, headers={"authorization": f"Bearer {house.token()}"})
    assert good.status_code == 200


async def test_after_twenty_forgeries_an_address_waits_whatever_it_shows(
    house: House, guarded: httpx.AsyncClient
) -> None:
    def bearer(token: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token}"}

    for _ in range(19):
        assert (await guarded.get(PATH, headers=bearer("forged"))).status_code == 401
        assert (await guarded.get(PATH)).status_code == 401  # who shows nothing tries nothing
    assert (await guarded.get(PATH, headers=bearer(house.token()))).status_code == 200
    assert (await guarded.get(PATH, headers=bearer("forged"))).status_code == 401
    for token in ("forged", house.token()):
        answer = await guarded.get(PATH, headers=bearer(token))
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    guarded._transport.client = ("10.0.0.9", 1)  # type: ignore[attr-defined]
    assert (await guarded.get(PATH, headers=bearer(house.token()))).status_code == 200


def test_an_address_is_heard_again_after_a_minute() -> None:
    now = [0.0]
    attempts = Attempts(clock=lambda: now[0])
    for _ in range(25):
        attempts.note_failure("a")
    for _ in range(20_000):
        attempts.note_failure(str(_))
    with pytest.raises(RateLimited):
        for _ in range(30):
            attempts.note_failure("b")
            attempts.check("b")
    now[0] = 61
    attempts.check("b")
    attempts.note_failure("b")
    attempts.check("b")
    assert len(attempts._failures) <= 10_000


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer"}, {"cookie": "session=x"}, {"x-api-key": "x"}],
)
async def test_without_a_token_the_issuer_is_not_asked(
    house: House, guarded: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await guarded.get(PATH, headers=headers)).status_code == 401
    assert house.server.paths() == []


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(st.binary(max_size=60), min_size=3, max_size=3)))
def test_rubbish_is_refused_and_nothing_else_happens(given: str | list[bytes]) -> None:
    import asyncio

    token = given if isinstance(given, str) else ".".join(map(b64, given))
    access = OidcAccess(Issuer("http://127.0.0.1:9", PooledUpstream()), AUDIENCE)
    scope = {"headers": [(b"authorization", b"Bearer " + token.encode("utf-8", "replace"))]}
    with pytest.raises(Exception) as caught:
        asyncio.run(access.admit(scope))
    assert type(caught.value).__name__ == "Unauthenticated"


@pytest.mark.parametrize(
    ("row", "key", "algorithm"),
    [
        (jwk(SMALL, "one"), SMALL, "RS256"),
        (jwk(RSA_KEY, "one", use="enc"), RSA_KEY, "RS256"),
        (jwk(RSA_KEY, "one", alg="RS512"), RSA_KEY, "RS256"),
        ({"kty": "oct", "kid": "one", "k": b64(b"x" * 64)}, b"x" * 64, "HS256"),
        ({"kty": "RSA", "kid": "one", "n": "AQ"}, RSA_KEY, "RS256"),
        ({"kty": "EC", "kid": "one", "crv": "P-384", "x": "AQ", "y": "AQ"}, RSA_KEY, "RS256"),
    ],
    ids=["1024 bits", "for encryption", "another algorithm", "symmetric", "broken", "broken curve"],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_keys_that_may_not_verify_are_passed_over(
    house: House, row: dict[str, Any], key: Any, algorithm: str
) -> None:
    house.publish(row, jwk(EC_KEY, "two"))
    with pytest.raises(Exception, match="log in again"):
        await house.admit(house.token(key, algorithm))
    assert await house.admit(house.token(EC_KEY, "ES256", "two")) == "7"


async def test_a_new_key_is_looked_for_at_most_once_a_minute(house: House) -> None:
    assert await house.admit(house.token()) == "7"
    house.publish(jwk(STRANGER, "three"))
    for _ in range(5):
        with pytest.raises(Exception, match="log in again"):
            await house.admit(house.token(STRANGER, kid="three"))
    assert house.server.paths().count("GET /keys") == 1
    house.clock.now += 61
    assert await house.admit(house.token(STRANGER, kid="three")) == "7"
    assert house.server.paths() == [f"GET {DISCOVERY}", "GET /keys", "GET /keys"]
    with pytest.raises(Exception, match="log in again"):
        await house.admit(house.token())  # a key that the issuer has withdrawn


async def test_an_outage_of_the_issuer_leaves_the_known_keys(house: House) -> None:
    assert await house.admit(house.token()) == "7"
    house.server.on("GET", "/keys", Answer(status=503))
    house.server.on("GET", DISCOVERY, Answer(status=503))
    house.clock.now += 4_000
    assert await house.admit(house.token()) == "7"
    assert await house.admit(house.token()) == "7"
    assert len(house.server.paths()) == 3


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://issuer.example", "jwks_uri": "{}/keys"},
        {"jwks_uri": "{}/keys"},
        {"issuer": "{}"},
        {"issuer": "{}", "jwks_uri": "http://issuer.example/keys"},
        {"issuer": "{}", "jwks_uri": ["{}/keys"]},
        [],
        "x" * 300_000,
    ],
)
async def test_a_discovery_document_that_cannot_be_trusted_opens_nothing(house: House, document: Any) -> None:
    written = json.loads(json.dumps(document).replace("{}", house.server.url)) if document else document
    house.server.on("GET", DISCOVERY, Answer(written))
    with pytest.raises(Exception, match="log in again"):
        await house.admit(house.token())
    assert "GET /keys" not in house.server.paths()


async def test_a_group_can_be_asked_for(house: House) -> None:
    for fields in ({"groups": ["x", "admins"]}, {"cognito:groups": ["admins"]}, {"groups": "admins"}):
        assert await house.admit(house.token(**fields), group="admins") == "7"
    for fields in ({}, {"groups": []}, {"groups": ["admins2"]}, {"groups": "not admins"}, {"scope": "admins"}):
        with pytest.raises(Exception, match="members of the group 'admins'"):
            await house.admit(house.token(**fields), group="admins")


# -- the settings ------------------------------------------------------------------------------------------------------

OIDC = {"ADMIN_AUTH": "oidc", "OIDC_ISSUER": "https://issuer.example/pool", "OIDC_AUDIENCE": "a"}


@pytest.mark.parametrize(
    ("variables", "in_cloud", "kind"),
    [
        (OIDC, False, OidcAccess),
        ({**OIDC, "ADMIN_AUTH": "", "ADMIN_ACCESS": "oidc"}, True, OidcAccess),
        ({}, False, OpenAccess),
        ({"HOST": "::1"}, False, OpenAccess),
        ({"HOST": "localhost"}, False, OpenAccess),
        ({"HOST": "0.0.0.0"}, False, NoAccess),
        ({"HOST": "192.168.1.5", "ADMIN_AUTH": "none"}, False, NoAccess),
        ({"HOST": "0.0.0.0", "ALLOW_OPEN_ADMIN": "true"}, False, OpenAccess),
        ({}, True, NoAccess),
        ({"ADMIN_AUTH": "none"}, True, NoAccess),
        ({"ADMIN_AUTH": "none", "ALLOW_OPEN_ADMIN": "true"}, True, OpenAccess),
    ],
)
def test_the_settings_choose(variables: dict[str, str], in_cloud: bool, kind: type) -> None:
    assert isinstance(admin_access(read_settings(variables), PooledUpstream(), in_cloud=in_cloud), kind)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ADMIN_AUTH": "oidc"}, "OIDC_ISSUER"),
        ({**OIDC, "OIDC_AUDIENCE": ""}, "OIDC_AUDIENCE"),
        ({**OIDC, "OIDC_ISSUER": "http://issuer.example"}, "OIDC_ISSUER"),
        ({**OIDC, "OIDC_ISSUER": "https://issuer.example/?x=1"}, "OIDC_ISSUER"),
        ({"ADMIN_AUTH": "none", "AUTH_ENABLED": "true"}, "contradict"),
        ({"ADMIN_AUTH": "open"}, "ADMIN_AUTH"),
        ({"CLIENT_ACCESS": "closed"}, "CLIENT_ACCESS"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(variables: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_settings(variables)


def test_clients_need_keys_in_the_cloud_unless_it_is_said_otherwise() -> None:
    cloud = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}
    assert read_settings({}).client_access == "open"
    assert read_settings(cloud).client_access == "required"
    assert read_settings({**cloud, "CLIENT_ACCESS": "open"}).client_access == "open"
    assert read_settings({"AUTH_ENABLED": "true"}).admin_auth == "session"


async def test_the_dashboard_learns_who_is_logged_in(house: House) -> None:
    upstream = PooledUpstream()
    chosen = read_settings({**OIDC, "OIDC_ISSUER": house.server.url})
    app = admin_session_app(chosen, Sessions("http://127.0.0.1:9", upstream), OidcAccess(house.issuer, AUDIENCE))
    async with client(app) as calls:
        told = await calls.get("/session/validate", headers={"authorization": f"Bearer {house.token(email='a@b')}"})
        assert told.json() == {
            "valid": True,
            "user": "a@b",
            "role": "admin",
            "auth_enabled": True,
            "use_ai_queue": False,
        }
        assert (await calls.get("/session/validate")).json() == {"valid": False}
    await upstream.aclose()
