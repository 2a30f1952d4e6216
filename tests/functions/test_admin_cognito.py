"""Sign-in by Cognito as the stack configures it: a user pool of moto signs the tokens and serves its keys, and our OIDC
mode is set as the functions' environment sets it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import boto3
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.server import DomainDispatcherApplication, create_backend_app
from moto.utilities.utils import load_resource
from werkzeug.serving import make_server

from functions.admin_endpoints.endpoints import admin_endpoints_app
from functions.admin_session.session import admin_session_app
from shared.providers.base import Timeouts, UpstreamResponse
from shared.providers.upstream import PooledUpstream
from shared.settings import read_settings
from shared.store.config_store import ConfigStore
from shared.store.seal import KeyFileSealer
from shared.web.admin_access import Sessions, admin_access
from tests.functions.admin_calls import client

REGION = "eu-central-1"
VIEWERS = "viewers"
PATH = "/api/admin/endpoints"
PASSWORD = "Correct-horse-7"
USERS = {"ada@example.org": [], "vic@example.org": [VIEWERS]}


class AtMoto:
    """Implements `Upstream`: what Cognito's host would be asked, moto is; the paths are the same."""

    def __init__(self, host: str, moto: str) -> None:
        self._upstream = PooledUpstream()
        self._host = host
        self._moto = moto

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeouts: Timeouts = Timeouts(),
        public_only: bool = False,
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        assert url.startswith((self._host, self._moto))  # moto's discovery document names moto for the keys
        there = self._moto + url.removeprefix(self._host).removeprefix(self._moto)
        return self._upstream.request(method, there, headers=headers, timeouts=timeouts)

    async def aclose(self) -> None:
        await self._upstream.aclose()


class Pool(NamedTuple):
    """A user pool like the stack's, an app client of the dashboard's and one of another application."""

    moto: str
    issuer: str
    client_id: str
    other_id: str
    tokens: dict[str, dict[str, str]]  # by user, then by what Cognito calls them
    elsewhere: dict[str, str]  # those for the other application


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield _furnished(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _furnished(url: str) -> Pool:
    cognito: Any = boto3.client(
        "cognito-idp", REGION, endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test"
    )
    pool = cognito.create_user_pool(PoolName="administrators", UsernameAttributes=["email"])["UserPool"]["Id"]
    cognito.create_group(UserPoolId=pool, GroupName=VIEWERS)

    def app_client(name: str) -> str:
        made = cognito.create_user_pool_client(
            UserPoolId=pool, ClientName=name, GenerateSecret=False, ExplicitAuthFlows=["ADMIN_NO_SRP_AUTH"]
        )
        return str(made["UserPoolClient"]["ClientId"])

    def signed_in(user: str, client_id: str) -> dict[str, str]:
        parameters = {"USERNAME": user, "PASSWORD": PASSWORD}
        answer = cognito.admin_initiate_auth(
            UserPoolId=pool, ClientId=client_id, AuthFlow="ADMIN_NO_SRP_AUTH", AuthParameters=parameters
        )
        found: dict[str, str] = answer["AuthenticationResult"]
        return found

    dashboard, other = app_client("dashboard"), app_client("another application")
    for user, groups in USERS.items():
        attributes = [{"Name": "email", "Value": user}]
        cognito.admin_create_user(UserPoolId=pool, Username=user, UserAttributes=attributes)
        cognito.admin_set_user_password(UserPoolId=pool, Username=user, Password=PASSWORD, Permanent=True)
        for group in groups:
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=user, GroupName=group)
    return Pool(
        url,
        f"https://cognito-idp.{REGION}.amazonaws.com/{pool}",
        dashboard,
        other,
        {user: signed_in(user, dashboard) for user in USERS},
        signed_in("ada@example.org", other),
    )


@pytest.fixture
async def upstream(pool: Pool) -> AsyncIterator[AtMoto]:
    found = AtMoto(pool.issuer.rpartition("/")[0], pool.moto)
    yield found
    await found.aclose()


def environment(pool: Pool) -> dict[str, str]:
    """What the stack writes into every admin function (`infra/admin_access.py`)."""
    return {
        "ADMIN_ACCESS": "oidc",
        "OIDC_ISSUER": pool.issuer,
        "OIDC_AUDIENCE": pool.client_id,
        "OIDC_VIEWER_GROUP": VIEWERS,
    }


@pytest.fixture
async def admin(
    pool: Pool, upstream: AtMoto, store: ConfigStore, sealer: KeyFileSealer
) -> AsyncIterator[httpx.AsyncClient]:
    access = admin_access(read_settings(environment(pool)), upstream, in_cloud=True)
    async with client(admin_endpoints_app(store, sealer, access)) as calls:
        yield calls


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def claims_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def test_the_dashboards_id_token_opens(admin: httpx.AsyncClient, pool: Pool) -> None:
    token = pool.tokens["ada@example.org"]["IdToken"]
    claims = claims_of(token)
    assert (claims["aud"], claims["token_use"], claims["iss"]) == (pool.client_id, "id", pool.issuer)
    made = await admin.post(PATH, headers=bearer(token), json={"name": "x", "url": "https://x.example"})
    assert made.status_code == 201


async def test_an_access_token_names_its_client_instead_of_an_audience(admin: httpx.AsyncClient, pool: Pool) -> None:
    """The functions take it, for scripts; API Gateway's authorizer of the stack, which has no scopes, does not."""
    token = pool.tokens["ada@example.org"]["AccessToken"]
    claims = claims_of(token)
    assert "aud" not in claims
    assert (claims["client_id"], claims["token_use"]) == (pool.client_id, "access")
    assert (await admin.get(PATH, headers=bearer(token))).status_code == 200


@pytest.mark.parametrize("kind", ["IdToken", "AccessToken"])
async def test_a_member_of_viewers_looks_and_changes_nothing(admin: httpx.AsyncClient, pool: Pool, kind: str) -> None:
    token = pool.tokens["vic@example.org"][kind]
    assert claims_of(token)["cognito:groups"] == [VIEWERS]
    assert (await admin.get(PATH, headers=bearer(token))).status_code == 200
    refused = await admin.post(PATH, headers=bearer(token), json={"name": "x", "url": "https://x.example"})
    assert refused.status_code == 403


async def test_the_dashboard_is_told_who_signed_in(pool: Pool, upstream: AtMoto) -> None:
    chosen = read_settings(environment(pool))
    app = admin_session_app(chosen, Sessions("http://127.0.0.1:9", upstream), admin_access(chosen, upstream))
    async with client(app) as calls:
        for user, role in (("ada@example.org", "admin"), ("vic@example.org", "viewer")):
            told = (await calls.get("/session/validate", headers=bearer(pool.tokens[user]["IdToken"]))).json()
            assert (told["valid"], told["user"], told["role"]) == (True, user, role)
        told = (await calls.get("/session/validate", headers=bearer(pool.elsewhere["IdToken"]))).json()
        assert told == {"valid": False}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed_with_the_public_key(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


async def test_what_cognito_did_not_sign_for_us_is_refused(admin: httpx.AsyncClient, pool: Pool) -> None:
    good = pool.tokens["ada@example.org"]["IdToken"]
    viewer = pool.tokens["vic@example.org"]["IdToken"]
    claims, header = claims_of(good), jwt.get_unverified_header(good)
    kid = {"kid": header["kid"]}
    stranger = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    async with httpx.AsyncClient(trust_env=False) as calls:
        path = f"/{pool.issuer.rpartition('/')[2]}/.well-known/jwks.json"
        keys = (await calls.get(f"{pool.moto}{path}")).json()["keys"]
    public = jwt.PyJWK(next(key for key in keys if key["kid"] == header["kid"]), "RS256").key
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    more_rights = {name: value for name, value in claims_of(viewer).items() if name != "cognito:groups"}
    head, _, signature = viewer.split(".")
    forgeries = {
        "for another application of the pool": pool.elsewhere["IdToken"],
        "an access token of that": pool.elsewhere["AccessToken"],
        "signed by a stranger under the pool's key id": jwt.encode(claims, stranger, "RS256", kid),
        "without a signature": jwt.encode(claims, None, "none", kid),
        "signed with the public key as a secret": signed_with_the_public_key({"alg": "HS256", **kid}, claims, pem),
        "a viewer without his group": f"{head}.{b64(json.dumps(more_rights).encode())}.{signature}",
        "a refresh token": pool.tokens["ada@example.org"]["RefreshToken"],
    }
    for name, token in forgeries.items():
        assert (await admin.get(PATH, headers=bearer(token))).status_code == 401, name
    assert (await admin.get(PATH, headers=bearer(good))).status_code == 200


async def test_a_token_ends_when_cognito_says_so(pool: Pool, upstream: AtMoto, admin: httpx.AsyncClient) -> None:
    """Signed by the pool's own key: moto's private half is public."""
    key = jwt.PyJWK(load_resource("cognitoidp/resources/jwks-private.json"), "RS256").key
    good = pool.tokens["ada@example.org"]["IdToken"]
    kid, claims, now = {"kid": jwt.get_unverified_header(good)["kid"]}, claims_of(good), int(time.time())

    def signed(**fields: Any) -> str:
        return jwt.encode({**claims, **fields}, key, "RS256", kid)

    assert (await admin.get(PATH, headers=bearer(signed()))).status_code == 200
    for fields in (
        {"exp": now - 120},
        {"iss": pool.issuer + "x"},
        {"aud": pool.other_id},
        {"aud": pool.other_id, "client_id": pool.client_id},  # the audience is what counts where there is one
        {"nbf": now + 600},
    ):
        assert (await admin.get(PATH, headers=bearer(signed(**fields)))).status_code == 401, fields
