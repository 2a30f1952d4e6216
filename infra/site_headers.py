"""The security headers of the dashboard's page, the same from CloudFront and from the laptop."""

from __future__ import annotations

import re
from collections.abc import Iterable

# what would end a directive or begin another is in no origin; a deployment's tokens may be
_ORIGIN = re.compile(r"https?://[^\s;,'\"*/]+")


def content_security_policy(connects_to: Iterable[str] = ()) -> str:
    """Nothing inline, neither scripts nor styles; `connects_to` are origins beside its own that the page may call.

    Raises ValueError for what is no origin.
    """
    called = tuple(dict.fromkeys(connects_to))
    for origin in called:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is no origin like https://issuer.example")
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",  # Mantine's variables are a file of the build (docs/adr/0010)
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": " ".join(("'self'", *called)),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in policy.items())


FURTHER = (
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""What CloudFront knows no field of its own for."""

STANDARD = (("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("referrer-policy", "no-referrer"))
