"""The platform's limits, as AWS documents them (2026-11); tests shorten the times."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """Times in seconds, sizes in bytes."""

    request_bytes: int = 10 << 20  # API Gateway's, for the body
    event_bytes: int = 6 << 20  # Lambda's, for the whole event
    buffered_bytes: int = 6 << 20  # Lambda's, for an answer that is not streamed
    streamed_bytes: int = 200 << 20
    free_bytes: int = 6 << 20  # of a stream, before its rate is held
    bytes_a_second: int = 2 << 20
    prelude_bytes: int = 16 << 10
    init_seconds: float = 10.0
    idle_seconds: float = 300.0  # without a byte of a stream; a regional API
    environments: int = 10  # of one function that this machine holds at a time
