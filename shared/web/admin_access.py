"""Who may use the admin API: anyone at this machine, whom the session service knows, or whom an issuer vouches for."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlsplit

from shared.errors import Forbidden, GatewayError, Unauthenticated
from shared.providers.base import Timeouts, Upstream
from shared.settings import Settings, is_loopback
from shared.web.asgi import Scope, header
from shared.wire import JsonObject, loads

log = logging.getLogger(__name__)

OPEN_USER = "admin"
READS = frozenset(("GET", "HEAD", "OPTIONS"))
_SESSION_SECONDS = 15.0
_SESSIONS = 1_000
_DEADLINE_SECONDS = 5.0
_MOST_BYTES = 64 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


Role: TypeAlias = Literal["admin", "viewer"]


class Administrator(NamedTuple):
    """Who was let in. A viewer sees everything and changes nothing."""

    user: str
    role: Role = "admin"


class Access(Protocol):
    async def admit(self, scope: Scope) -> Administrator:
        """Raises Unauthenticated or Forbidden."""
        ...


class OpenAccess:
    """Everyone who can reach the port, as on a laptop, but no web page of somebody else.

    A page elsewhere can make a browser send requests here. Those that change something are told by their Origin or
    Sec-Fetch-Site; a page whose own name was pointed at this machine (DNS rebinding) by its Host, unless `any_host`.
    """

    def __init__(self, allowed_hosts: Iterable[str] = (), *, any_host: bool = False) -> None:
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._any_host = any_host

    async def admit(self, scope: Scope) -> Administrator:
        host = header(scope, b"host")
        if not self._any_host and not self._knows(host):
            raise Forbidden(
                "the admin API is open to this machine only: call it as localhost or 127.0.0.1, "
                "or set ADMIN_AUTH=oidc or AUTH_ENABLED=true to serve others"
            )
        if scope["method"] not in READS:
            origin = header(scope, b"origin")
            foreign = bool(origin) and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower())
            if foreign or is_of_another_page(scope):
                raise _other_site()
        return Administrator(OPEN_USER)

    def _knows(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name == "localhost" or name.endswith(".localhost") or name in self._allowed_hosts:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


class NobodySays(Unauthenticated):
    """Who knows the credentials could not be asked: they open nothing, and were not found wrong either."""


class Sessions:
    """The original's session service: `GET {url}/session/validate` answers `{"valid": true, "user": "name"}`.

    It sees the cookie `session` and the header `X-Session-Token` and nothing else of the browser's. What it found
    valid stays so for 15 s. `clock` gives seconds.
    """

    def __init__(self, url: str, upstream: Upstream, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = f"{url.rstrip('/')}/session/validate"
        self._logout_url = f"{url.rstrip('/')}/session/logout"
        self._upstream = upstream
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, JsonObject]] = OrderedDict()

    async def find(self, scope: Scope) -> JsonObject | None:
        """The service's answer for a valid session, else None. Raises NobodySays when it cannot be asked."""
        shown = _credentials(scope)
        if not shown:
            return None
        place = _place(shown)
        until, session = self._known.get(place, (0.0, None))
        if session is not None and self._clock() < until:
            return session
        session = await self._ask(shown)
        if session is None:
            self._known.pop(place, None)
            return None
        self._known[place] = (self._clock() + _SESSION_SECONDS, session)
        self._known.move_to_end(place)
        if len(self._known) > _SESSIONS:
            self._known.popitem(last=False)
        return session

    async def end(self, scope: Scope) -> None:
        """Forget a session, and tell the service, which may know no such route: `POST {url}/session/logout`."""
        shown = _credentials(scope)
        if not shown:
            return
        self._known.pop(_place(shown), None)
        timeouts = Timeouts(connect=_DEADLINE_SECONDS, idle=_DEADLINE_SECONDS, total=_DEADLINE_SECONDS)
        try:
            async with (
                asyncio.timeout(_DEADLINE_SECONDS),
                self._upstream.request("POST", self._logout_url, headers=shown, timeouts=timeouts) as response,
            ):
                await response.read(_MOST_BYTES)
        except (GatewayError, TimeoutError) as failure:
            log.warning("the session service was not told of a logout: %s", _reason(failure))

    async def _ask(self, shown: dict[str, str]) -> JsonObject | None:
        timeouts = Timeouts(connect=_DEADLINE_SECONDS, idle=_DEADLINE_SECONDS, total=_DEADLINE_SECONDS)
        try:
            async with (
                asyncio.timeout(_DEADLINE_SECONDS),
                self._upstream.request(
                    "GET", self._url, headers={"accept": "application/json", **shown}, timeouts=timeouts
                ) as response,
            ):
                said = await response.read(_MOST_BYTES)
        except (GatewayError, TimeoutError) as failure:
            raise self._nobody_says(_reason(failure)) from failure
        if response.status >= 500:
            raise self._nobody_says(f"status {response.status}")
        try:
            session = loads(said)
        except ValueError:
            log.warning("the answer of the session service at %s is not JSON", self._url)
            return None
        well = response.status < 300 and isinstance(session, dict) and session.get("valid") is True
        return session if well else None

    def _nobody_says(self, reason: str) -> NobodySays:
        log.warning("the session service at %s could not be asked: %s", self._url, reason)
        return NobodySays("the session service could not be asked; try again")


class SessionAccess:
    """Whoever has a valid session. A page elsewhere cannot borrow it to change something: not of another site, and not
    of another host or port of this one, for which a browser sends the cookie, too."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def admit(self, scope: Scope) -> Administrator:
        if scope["method"] not in READS and is_of_another_page(scope):
            raise _other_site()
        session = await self._sessions.find(scope)
        if session is None:
            raise Unauthenticated("no valid session; log in first")
        return administrator_of(session)


def administrator_of(session: JsonObject) -> Administrator:
    """A service that knows no roles, as the original's, knows administrators only; a role that is not known here may
    look."""
    user, role = session.get("user"), session.get("role", "admin")
    return Administrator(user if isinstance(user, str) else "", "admin" if role == "admin" else "viewer")


class NoAccess:
    """Nobody: what would be open to everybody is shut, and says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def admit(self, scope: Scope) -> Administrator:
        raise Forbidden(self._reason)


def admin_access(chosen: Settings, upstream: Upstream, *, in_cloud: bool = False) -> Access:
    if chosen.admin_auth == "oidc":
        # only here: it brings PyJWT and cryptography
        from shared.web.admin_oidc import Issuer, OidcAccess

        assert chosen.oidc_issuer and chosen.oidc_audience  # noqa: S101, PT018 - the settings see to it
        return OidcAccess(
            Issuer(chosen.oidc_issuer, upstream),
            chosen.oidc_audience,
            chosen.oidc_admin_group,
            chosen.oidc_viewer_group,
        )
    if chosen.admin_auth == "session":
        return SessionAccess(Sessions(chosen.aimenu_url, upstream))
    if problem := open_admin_problem(chosen, in_cloud=in_cloud):
        return NoAccess(problem)
    return OpenAccess((chosen.host,), any_host=chosen.allow_open_admin)


def open_admin_problem(chosen: Settings, *, in_cloud: bool = False) -> str | None:
    """Why the settings would make everybody an administrator, in one line with the way out; None when they do not."""
    if chosen.admin_auth != "none" or chosen.allow_open_admin:
        return None
    if in_cloud:
        place = "in the cloud"
    elif not is_loopback(chosen.host):
        place = f"on HOST={chosen.host}"
    else:
        return None
    return (
        f"ADMIN_AUTH=none {place} would let everybody administer the gateway: "
        "set ADMIN_AUTH=oidc or session, or ALLOW_OPEN_ADMIN=true if that is meant"
    )


def is_of_another_page(scope: Scope) -> bool:
    """Whether a browser says that a page of another origin makes the request; programs and old browsers say nothing."""
    return header(scope, b"sec-fetch-site") not in ("", "none", "same-origin")


def _other_site() -> Forbidden:
    return Forbidden("a page of another site cannot change anything here")


def _place(shown: dict[str, str]) -> bytes:
    """Where a session is remembered; its secret is not."""
    return hashlib.sha256("\n".join(f"{name}: {value}" for name, value in shown.items()).encode()).digest()


def shows_credentials(scope: Scope) -> bool:
    """Whether somebody tries, rather than asks who he is."""
    return bool(_credentials(scope) or header(scope, b"authorization"))


def _credentials(scope: Scope) -> dict[str, str]:
    """The two that the service may see, as headers for it."""
    shown: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name != b"cookie":
            continue
        for pair in value.decode("latin-1").split(";"):
            key, _, content = pair.strip().partition("=")
            if key == "session" and _TOKEN.fullmatch(content):
                shown.setdefault("cookie", f"session={content}")
    token = header(scope, b"x-session-token").strip()
    if _TOKEN.fullmatch(token):
        shown["x-session-token"] = token
    return shown


def _reason(failure: Exception) -> str:
    return failure.message if isinstance(failure, GatewayError) else "no answer in time"
