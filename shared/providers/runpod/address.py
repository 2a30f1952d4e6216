"""Where a RunPod endpoint's routes are, from any of the addresses that its pages show."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

CLOUD = "https://api.runpod.ai"
_ROUTES = frozenset(
    ("run", "runsync", "openai", "v1", "status", "stream", "cancel", "retry", "health", "purge-queue", "requests")
)


def worker_url(url: str) -> str:
    """The address that `/run`, `/stream/{id}` and the rest stand under, without a slash at its end.

    `https://api.runpod.ai/v2/{id}` and everything that can follow it (a route, a job's id, a query) mean the same, and
    so does the bare id. Another host is kept: the SDK's local API serves the routes at its root.
    """
    url = url.strip()
    if "://" not in url:
        name = url.strip("/")
        if "/" not in name and "." not in name and ":" not in name:
            return f"{CLOUD}/v2/{name}"
        url = f"https://{name}"
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    if "v2" in segments[:-1]:
        segments = segments[: segments.index("v2") + 2]
    else:
        end = next((place for place, segment in enumerate(segments) if segment in _ROUTES), len(segments))
        segments = segments[:end]
    return urlunsplit((parts.scheme, parts.netloc, "/".join(["", *segments]), "", ""))


def openai_url(url: str) -> str:
    return f"{worker_url(url)}/openai/v1"
