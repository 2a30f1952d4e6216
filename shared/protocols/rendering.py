"""What every protocol's renderer is told and must do."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Protocol

from shared.chat.events import Batch
from shared.chat.request import ChatRequest
from shared.chat.response import Response
from shared.errors import GatewayError
from shared.wire import JsonObject


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is the same on every message of one answer: the name the client asked for, not the backend's."""

    request: ChatRequest
    created: int = field(default_factory=lambda: int(time.time()))

    def new_id(self, prefix: str) -> str:
        """An id of our own, for an answer whose backend gave none."""
        return f"{prefix}-{os.urandom(12).hex()}"


class StreamRenderer(Protocol):
    """Turns events into the bytes of one streamed answer."""

    def feed(self, batch: Batch) -> bytes:
        """The frames' bytes; may be empty."""
        ...

    def finish(self) -> bytes:
        """The protocol's terminal frames."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The protocol's in-stream error; nothing follows it."""
        ...


class Wire(Protocol):
    """One protocol, whole: what a chat route needs of it."""

    name: str
    media_type: str
    keep_alive: bytes

    def parse(self, body: JsonObject) -> ChatRequest: ...

    def stream(self, envelope: Envelope) -> StreamRenderer: ...

    def whole(self, envelope: Envelope, response: Response) -> JsonObject: ...

    def error(self, error: GatewayError) -> JsonObject: ...
