"""Administrators by bearer tokens of an OpenID Connect issuer, Cognito for one: verified with the issuer's public keys.

Sources: RFC 7519 and 8725 (what to check, and to pin the algorithm), OpenID Connect Discovery 1.0, RFC 7517 (keys).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.errors import Forbidden, GatewayError, Unauthenticated
from shared.providers.base import Timeouts, Upstream
from shared.settings import is_loopback
from shared.web.admin_access import Administrator, Role
from shared.web.asgi import Scope, header
from shared.wire import JsonObject, loads

log = logging.getLogger(__name__)

_LEEWAY_SECONDS = 60
_REFRESH_SECONDS = 3_600.0  # keys and discovery document
_RETRY_SECONDS = 60.0  # the soonest that an unknown key, or an outage, makes us ask again
_DEADLINE_SECONDS = 5.0
_MOST_BYTES = 256 * 1024
_MOST_KEYS = 50
_MOST_TOKEN_CHARS = 16_384
_LEAST_RSA_BITS = 2_048
_NAMES = ("email", "preferred_username", "cognito:username", "username", "sub")
_GROUPS = ("groups", "cognito:groups")


class VerificationKey(NamedTuple):
    """A public key and the one algorithm that it may verify."""

    algorithm: str
    key: RSAPublicKey | EllipticCurvePublicKey


class IssuerUnavailable(Exception):
    """The issuer cannot be asked, or says something that cannot be used; the message is for the log."""


class Issuer:
    """The issuer's keys by their ids, read from its discovery document and kept. `clock` gives seconds.

    A key that is not known is looked for at most once a minute; an outage leaves the keys that were read last.
    """

    def __init__(self, url: str, upstream: Upstream, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._upstream = upstream
        self._clock = clock
        self._keys: Mapping[str, VerificationKey] = {}
        self._keys_url = ""
        self._discovered_at: float | None = None
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._flight: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> VerificationKey | None:
        """None when the issuer has no such key, as far as we know."""
        stale = not self._within(self._read_at, _REFRESH_SECONDS)
        if (stale or key_id not in self._keys) and (
            self._flight is not None or not self._within(self._tried_at, _RETRY_SECONDS)
        ):
            await asyncio.shield(self._refresh())
        return self._keys.get(key_id)

    def _within(self, since: float | None, seconds: float) -> bool:
        return since is not None and self._clock() - since < seconds

    def _refresh(self) -> asyncio.Task[None]:
        """One reading, shared by everyone who needs it now."""
        if self._flight is None:
            self._tried_at = self._clock()
            self._flight = asyncio.create_task(self._read())
            self._flight.add_done_callback(self._land)
        return self._flight

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flight = None

    async def _read(self) -> None:
        try:
            if not self._within(self._discovered_at, _REFRESH_SECONDS):
                self._keys_url = self._discovered(await self._ask(_discovery_url(self.url)))
                self._discovered_at = self._clock()
            self._keys = _read_keys(await self._ask(self._keys_url))
        except IssuerUnavailable as failure:
            log.warning("the keys of the issuer %s could not be read: %s", self.url, failure)
            return
        self._read_at = self._clock()

    def _discovered(self, document: JsonObject) -> str:
        if document.get("issuer") != self.url:
            raise IssuerUnavailable("its discovery document is another issuer's")
        keys_url = document.get("jwks_uri")
        parts = urlsplit(keys_url) if isinstance(keys_url, str) else None
        if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and _local(parts.hostname))):
            raise IssuerUnavailable("its discovery document has no safe jwks_uri")
        return str(keys_url)

    async def _ask(self, url: str) -> JsonObject:
        timeouts = Timeouts(connect=_DEADLINE_SECONDS, idle=_DEADLINE_SECONDS, total=_DEADLINE_SECONDS)
        try:
            async with (
                asyncio.timeout(_DEADLINE_SECONDS),
                self._upstream.request(
                    "GET", url, headers={"accept": "application/json"}, timeouts=timeouts
                ) as response,
            ):
                document = loads(await response.read(_MOST_BYTES))
        except GatewayError as failure:
            raise IssuerUnavailable(failure.message) from failure
        except TimeoutError:
            raise IssuerUnavailable("no answer in time") from None
        except ValueError:
            raise IssuerUnavailable("its answer is not JSON") from None
        if response.status != 200 or not isinstance(document, dict):
            raise IssuerUnavailable(f"{urlsplit(url).path} was answered with {response.status}")
        return document


class OidcAccess:
    """Whoever has a token of the issuer for `audience` and, with a `group`, is in it; members of `viewers` may look.

    The audience is a token's `aud` or, as in Cognito's access tokens, which have none, its `client_id`. No page of
    another site can make a browser add the token, so nothing else guards against one.
    """

    def __init__(self, issuer: Issuer, audience: str, group: str | None = None, viewers: str | None = None) -> None:
        self._issuer = issuer
        self._audience = audience
        self._group = group
        self._viewers = viewers

    async def admit(self, scope: Scope) -> Administrator:
        scheme, _, token = header(scope, b"authorization").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 0 < len(token) <= _MOST_TOKEN_CHARS:
            raise Unauthenticated("no bearer token; log in first")
        claims = await self._verified(token)
        user = next((name for each in _NAMES if isinstance(name := claims.get(each), str) and name), "")
        return Administrator(user, self._role(_groups(claims)))

    def _role(self, groups: list[Any]) -> Role:
        if self._group is not None and self._group in groups:
            return "admin"
        if self._viewers is not None and self._viewers in groups:
            return "viewer"
        if self._group is not None:
            raise Forbidden(f"only members of the group '{self._group}' administer this gateway")
        return "admin"

    async def _verified(self, token: str) -> Mapping[str, Any]:
        try:
            told = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise _refused("it is not a signed token") from None
        key_id = told.get("kid")
        if "crit" in told:
            raise _refused("it demands extensions that are not known here")
        key = await self._issuer.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise _refused("its key is not one of the issuer's")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],  # the key's, never what the token says of itself
                issuer=self._issuer.url,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except jwt.PyJWTError as failure:
            raise _refused(type(failure).__name__) from None
        if not self._is_for_us(claims):
            raise _refused("it is for another audience")
        return claims

    def _is_for_us(self, claims: Mapping[str, Any]) -> bool:
        audience = claims.get("aud", claims.get("client_id"))
        return self._audience in audience if isinstance(audience, list) else self._audience == audience


def _refused(reason: str) -> Unauthenticated:
    log.info("a token was refused: %s", reason)
    return Unauthenticated("the token is not valid; log in again")


def _groups(claims: Mapping[str, Any]) -> list[Any]:
    groups: list[Any] = []
    for name in _GROUPS:
        value = claims.get(name)
        groups += value if isinstance(value, list) else [value]
    return groups


def _read_keys(document: JsonObject) -> dict[str, VerificationKey]:
    """The keys that may verify a signature: RSA of 2048 bits and more, and P-256. Others are passed over."""
    rows = document.get("keys")
    if not isinstance(rows, list):
        raise IssuerUnavailable("its key set has no keys")
    found: dict[str, VerificationKey] = {}
    for row in rows[:_MOST_KEYS]:
        if isinstance(row, dict) and isinstance(row.get("kid"), str) and row.get("use", "sig") == "sig":
            key = _read_key(row)
            if key is not None and row.get("alg", key.algorithm) == key.algorithm:
                found[row["kid"]] = key
    return found


def _read_key(row: JsonObject) -> VerificationKey | None:
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(row.get("kty")))
    if algorithm is None:
        return None
    try:
        key = jwt.PyJWK(row, algorithm).key
    except (jwt.PyJWTError, ValueError):
        return None
    if isinstance(key, RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return VerificationKey("RS256", key)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return VerificationKey("ES256", key)
    return None


def _discovery_url(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def _local(host: str | None) -> bool:
    return is_loopback(host or "")
