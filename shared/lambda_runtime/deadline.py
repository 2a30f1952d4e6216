"""When one invocation must be over."""

from __future__ import annotations

import time
from typing import NamedTuple

# Two seconds, or a tenth of a short time: for the protocol's error frame and the ledger's write. API Gateway's own 15
# minutes begin before a cold start and the function's only after it, so that much start-up is covered too.
_MARGIN_SECONDS = 2.0
_MARGIN_SHARE = 0.1


class Deadline(NamedTuple):
    """Instants of the monotonic clock."""

    told: float  # what the app is told: its protocol's own error ends the answer then
    cut: float  # the app is cancelled
    end: float  # Lambda ends the process


def deadline_of(deadline_ms: int) -> Deadline:
    """`deadline_ms`: Lambda's, in milliseconds since 1970."""
    left = max(0.0, deadline_ms / 1_000 - time.time())
    margin = min(_MARGIN_SECONDS, left * _MARGIN_SHARE)
    end = time.monotonic() + left
    return Deadline(end - margin, end - margin / 2, end)
