"""The words of a script: what a backend answers one request with, step by step."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

_FIXTURES = Path(__file__).parent.parent / "fixtures"


class Pause(NamedTuple):
    """Say nothing for a while."""

    seconds: float


class Gate:
    """Say nothing until the test opens it; `reached` tells the test that everything before it was sent."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._opened = threading.Event()

    def open(self) -> None:
        self._opened.set()

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()


class Ending(Enum):
    CUT = auto()  # reset the connection in the middle of the answer
    HANG = auto()  # say nothing until the gateway leaves


CUT, HANG = Ending.CUT, Ending.HANG

Step: TypeAlias = bytes | Pause | Gate | Ending


@dataclass(frozen=True)
class Reply:
    """`before` is done before the status line, `steps` are the body: each piece of bytes is one write."""

    steps: tuple[Step, ...] = ()
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Step, ...] = ()


@dataclass
class Seen:
    """One request as it arrived, and what became of its answer."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    written: int = 0  # bytes of the answer's body that the socket took
    left: threading.Event = field(default_factory=threading.Event)  # the gateway closed before the answer's end
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None

    @property
    def model(self) -> str:
        return str(self.body.get("model", "")) if self.raw else ""


Script: TypeAlias = Reply | Callable[[Seen], Reply]


def text_of(name: str) -> bytes:
    """A recorded wire text."""
    return (_FIXTURES / name).read_bytes()


def says(body: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer; header names are written with underscores."""
    return Reply((json.dumps(body).encode(),), status, headers={k.replace("_", "-"): v for k, v in headers.items()})


def streams(*steps: Step, **fields: Any) -> Reply:
    return Reply(steps, content_type="text/event-stream", **fields)


def frames_of(name: str) -> list[bytes]:
    """The server-sent events of a recorded stream, each with its empty line."""
    return [frame + b"\n\n" for frame in text_of(name).split(b"\n\n") if frame]


def event(body: Any) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
