"""Fetches the images that a client names by URL, for a backend that takes only their bytes."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
from urllib.parse import quote, urlsplit

from shared.errors import InvalidRequest, UpstreamFailure
from shared.providers.base import Timeouts, Upstream

MAX_IMAGE_BYTES = 20 * 1024 * 1024
_TIMEOUTS = Timeouts(connect=5.0, idle=10.0, total=30.0)
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM")
_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%-._~"


async def fetch_image(upstream: Upstream, url: str, *, allow_private: bool = False) -> str:
    """The image at `url` as base64; raises InvalidRequest for anything but an image at a public http(s) address.

    The address is looked up once more when the connection is made, and checked again: a name may change in between.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refused("is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise _refused("must begin with http:// or https://, or be a data: URL")
    if not allow_private:
        await _check_public(host, port or (443 if parts.scheme == "https" else 80))
    try:
        async with upstream.request(
            "GET",
            quote(url, safe=_URL_CHARACTERS),
            headers={"accept": "image/*"},
            timeouts=_TIMEOUTS,
            public_only=not allow_private,
        ) as response:
            if response.status != 200:
                raise _refused(f"answered HTTP {response.status}; redirects are not followed")
            image = await response.read(MAX_IMAGE_BYTES)
    except UpstreamFailure as failure:
        raise _refused(f"could not be fetched: {failure.message}") from failure
    if not image.startswith(_SIGNATURES) and not (image[:4] == b"RIFF" and image[8:12] == b"WEBP"):
        raise _refused("is not a JPEG, PNG, GIF, BMP or WebP image")
    return base64.b64encode(image).decode()


async def _check_public(host: str, port: int) -> None:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise _refused("names a host that does not exist") from None
    if not all(ipaddress.ip_address(str(address[4][0]).partition("%")[0]).is_global for address in found):
        raise _refused("points into a private network")


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"an image_url {why}; the gateway fetches images for this backend (at most {MAX_IMAGE_BYTES >> 20} MB)",
        param="messages",
        code="invalid_image_url",
    )
