"""What every adapter is given and what it must do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from shared.chat.events import Batch
from shared.chat.request import ChatRequest, EmbeddingRequest
from shared.chat.response import Embeddings as Embeddings  # for adapters, which return it
from shared.wire import JsonObject


class Timeouts(NamedTuple):
    """Seconds. `total` bounds a whole answer; a stream is bounded by `idle`, the longest silence between two reads."""

    connect: float = 10.0
    idle: float = 300.0
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A backend as its administrator defined it. `sealed_key` is the encrypted API key, `options` is per type."""

    id: int
    name: str
    type: str
    url: str
    enabled: bool = True
    priority: int = 0
    sealed_key: bytes | None = field(default=None, repr=False)
    options: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """One place a request can go: an endpoint, the actual model there, and what opens the door.

    `headers` are the virtual model's custom headers, laid over the adapter's own. `whole` asks for an answer in one
    piece even for a streaming client (`disable_streaming`).
    """

    endpoint: Endpoint
    model: str
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeouts: Timeouts = Timeouts()
    whole: bool = False


class OneChoiceOnly(Exception):
    """Raised by `stream` before its first batch when the backend turns out to serve one choice at a time."""


class UpstreamResponse(Protocol):
    """An answer whose status and headers have arrived and whose body has not been read."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body as it arrives, in pieces of any size; raises UpstreamCut or UpstreamTimedOut."""
        ...

    async def read(self, limit: int = 64 * 1024 * 1024) -> bytes:
        """The whole body; raises UpstreamMalformed when it is longer than `limit` bytes."""
        ...


class Upstream(Protocol):
    """The HTTP client: pooled connections, no redirects, no cookies, no retries."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeouts: Timeouts = Timeouts(),
        public_only: bool = False,
    ) -> AbstractAsyncContextManager[UpstreamResponse]:
        """Send; leaving the context before the body's end closes the connection (that cancels the work upstream).

        `public_only` refuses every address that the internet does not route, for URLs that clients have written.

        Raises UpstreamUnreachable (no connection) or UpstreamTimedOut (no answer in time).
        """
        ...

    async def aclose(self) -> None: ...


class Adapter(Protocol):
    """Speaks to one kind of backend. Adapters hold no state of a request between calls."""

    def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        """Ask, and yield what arrives as it arrives, one batch per read; an empty batch is never yielded.

        Any failure is raised as a GatewayError: before the first batch (refused) or after it (UpstreamCut).
        The generator ends only after the backend's own terminal frame; usage is always asked for. Closing it closes
        the upstream connection. It also serves whole answers (`request.stream` false, or `target.whole`).
        """
        ...

    async def embed(self, request: EmbeddingRequest, target: Target) -> Embeddings: ...

    async def models(self, target: Target) -> list[str]:
        """The ids of the models the backend offers, sorted; `target.model` is empty."""
        ...

    def dropped(self, request: ChatRequest, target: Target) -> tuple[str, ...]:
        """The request's fields that this backend cannot be told, in the client's words (`x-gateway-dropped`)."""
        ...

    def serves_choices(self, request: ChatRequest, target: Target) -> bool:
        """Whether one call can bring the `n` choices (and, for completions, all the prompts) of this request.

        Where it cannot, the gateway asks once per choice.
        """
        ...
