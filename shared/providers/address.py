"""Where a URL leads: the host to connect to, the proxy on the way, and the line to ask with."""

from __future__ import annotations

import os
from base64 import b64encode
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from shared.errors import UpstreamUnreachable

_PORTS = {"http": 80, "https": 443}
_UNRESERVED = "/?:@!$&'()*+,;=~-._%[]|"


class Address(NamedTuple):
    """`host:port` is the place that failures name; `path` holds the query and is never shown."""

    secure: bool
    host: str
    port: int
    path: str
    authority: str  # the Host header
    authorization: str | None  # of the user and password in the URL

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


@lru_cache(maxsize=512)
def locate(url: str) -> Address:
    """Raises UpstreamUnreachable for what is no http(s) URL; the message does not repeat it, for it may hold a key."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        path = quote(parts.path or "/", safe=_UNRESERVED)
        if parts.query:
            path += "?" + quote(parts.query, safe=_UNRESERVED)
    except ValueError as error:
        raise UpstreamUnreachable("the endpoint's URL cannot be read") from error
    if parts.scheme not in _PORTS or not host or any(letter <= " " for letter in host):
        raise UpstreamUnreachable("the endpoint's URL must start with http:// or https:// and name a host")
    authority = f"[{host}]" if ":" in host else host
    if port != _PORTS[parts.scheme]:
        authority += f":{port}"
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(pair.encode()).decode()
    return Address(parts.scheme == "https", host, port, path, authority, authorization)


def proxy_for(address: Address) -> Address | None:
    """The HTTP proxy that the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) puts before an address."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    # an import that few need and that all would pay for
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

    proxies = getproxies_environment()
    url = proxies.get("https" if address.secure else "http") or proxies.get("all")
    if not url or proxy_bypass_environment(address.place, proxies):
        return None
    return locate(url if "://" in url else f"http://{url}")
