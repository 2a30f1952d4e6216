"""One endpoint, asked for real: which models it lists and whether it takes the key."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Literal, NamedTuple, TypeAlias

from functions.admin_endpoint_probe.watching import Attempt, WatchedUpstream
from shared.errors import (
    GatewayError,
    InvalidRequest,
    UpstreamRefused,
    UpstreamTimedOut,
    UpstreamUnreachable,
)
from shared.gateway.catalog import VirtualModel
from shared.protocols.openai_chat.parse import parse
from shared.providers.base import Endpoint, Target, Timeouts, Upstream
from shared.providers.registry import Adapters
from shared.store.seal import SealBroken

Stage: TypeAlias = Literal["connect", "tls", "auth", "timeout", "models"]

PATIENCE = Timeouts(connect=5.0, idle=10.0, total=10.0)
_DEADLINE_TIMES = 2.0  # discovery may ask several paths, all of them together take no longer than this many totals
_NO_LIST = frozenset((404, 405, 501))
_LONGEST_MESSAGE = 1_000


class Works(NamedTuple):
    """`models` is how many it lists; None where it lists none and answered a chat with `model` instead."""

    latency_ms: int
    models: int | None
    model: str | None
    status: int | None


class Fails(NamedTuple):
    stage: Stage
    message: str
    status: int | None
    error: GatewayError


class ListFailed(Exception):
    """The list of models could not be had; `attempts` are the calls that were made."""

    def __init__(self, error: GatewayError, message: str, attempts: list[Attempt]) -> None:
        super().__init__(message)
        self.status = 504 if isinstance(error, UpstreamTimedOut) else 502
        self.message = message
        self.attempts = attempts


class Probe:
    """Asks one endpoint as it is given, stored or not. The adapters are its own, so that nothing an unsaved address
    teaches them is remembered."""

    def __init__(
        self, upstream: Upstream, endpoint: Endpoint, api_key: str | None, timeouts: Timeouts = PATIENCE
    ) -> None:
        self._watched = WatchedUpstream(upstream)
        self._adapter = Adapters(self._watched)[endpoint.type]
        self._target = Target(endpoint, "", api_key, timeouts=timeouts)
        self._deadline_seconds = (timeouts.total or timeouts.idle) * _DEADLINE_TIMES

    async def models(self) -> list[str]:
        """Raises ListFailed."""
        try:
            return sorted(await self._listed())
        except GatewayError as error:
            raise ListFailed(error, self._words(error), self._watched.attempts) from error

    async def test(self, user: VirtualModel | None) -> Works | Fails:
        """Lists the models; where there is no list, says a word to the model of `user`, a virtual model that comes
        here."""
        began = time.monotonic()
        try:
            try:
                count, model = len(await self._listed()), None
            except (UpstreamRefused, InvalidRequest) as error:
                if not _lacks_list(error) or user is None:
                    raise
                count, model = None, await self._chat(user)
        except GatewayError as error:
            return Fails(stage_of(error), self._words(error), self._status(error), error)
        return Works(round((time.monotonic() - began) * 1000), count, model, self._watched.last_status)

    async def _listed(self) -> list[str]:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._adapter.models(self._target)
        except TimeoutError:
            raise self._too_late() from None

    async def _chat(self, user: VirtualModel) -> str:
        """The first sign of an answer is enough: closing the stream cancels the rest."""
        model = next(each.actual_model for each in user.targets if each.endpoint_id == self._target.endpoint.id)
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, "stream": True}
        headers: Mapping[str, str] = user.custom_headers
        target = Target(
            self._target.endpoint, model, self._target.api_key, headers=headers, timeouts=self._target.timeouts
        )
        try:
            async with (
                asyncio.timeout(self._deadline_seconds),
                aclosing(self._adapter.stream(parse(body), target)) as batches,
            ):
                async for _ in batches:
                    break
        except TimeoutError:
            raise self._too_late() from None
        return model

    def _too_late(self) -> UpstreamTimedOut:
        return UpstreamTimedOut(
            f"endpoint '{self._target.endpoint.name}' gave no answer within {self._deadline_seconds:g} s"
        )

    def _status(self, error: GatewayError) -> int | None:
        return error.upstream_status if isinstance(error, UpstreamRefused) else self._watched.last_status

    def _words(self, error: GatewayError) -> str:
        """A backend that repeats the key in its refusal is not repeated."""
        message = error.message[:_LONGEST_MESSAGE]
        key = self._target.api_key
        return message.replace(key, "[masked]") if key else message


def stage_of(error: GatewayError) -> Stage:
    """How far the call came."""
    match error:
        case UpstreamUnreachable():
            # a server that hangs up in the middle of the handshake resets; one that is not there refuses
            cause = error.__cause__
            broke = isinstance(cause, ssl.SSLError | ConnectionResetError | ConnectionAbortedError)
            return "tls" if broke else "connect"
        case UpstreamTimedOut():
            return "timeout"
        case UpstreamRefused(upstream_status=401 | 403) | SealBroken():
            return "auth"
        case _:
            return "models"


def _lacks_list(error: UpstreamRefused | InvalidRequest) -> bool:
    return isinstance(error, InvalidRequest) or error.upstream_status in _NO_LIST
