"""Who changes something, for the audit log: set by the door of the admin API, read where a change is written."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple


class Actor(NamedTuple):
    """A user without a name is the gateway itself, or somebody with the deployment's credentials."""

    user: str = ""
    request_id: str = ""
    address: str = ""


_NOBODY = Actor()
ACTOR: ContextVar[Actor] = ContextVar("actor", default=_NOBODY)
