"""One call to one backend, metered from its beginning to whichever end it comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from shared.chat.events import (
    Batch,
    Event,
    Failed,
    Frame,
    Started,
    UsageReported,
)
from shared.chat.request import ChatRequest
from shared.chat.usage import Usage
from shared.errors import GatewayError, InternalError, UpstreamMalformed
from shared.gateway.failures import name_endpoint
from shared.gateway.metering import Meter
from shared.providers.base import Adapter, OneChoiceOnly, Target


class Source(Protocol):
    """Batches, one after the other, until None."""

    async def next(self) -> Batch | None: ...

    async def aclose(self) -> None: ...


class Attempt:
    """The batches of one upstream call. The meter is closed exactly once: complete, failed, truncated or aborted."""

    def __init__(self, adapter: Adapter, request: ChatRequest, target: Target, meter: Meter) -> None:
        self._batches = adapter.stream(request, target)
        self._meter = meter
        self._endpoint = target.endpoint
        self._begun = False
        self._over = False

    async def next(self) -> Batch | None:
        if self._over:
            return None
        try:
            batch = await anext(self._batches)
        except StopAsyncIteration:
            return self._complete()
        except GatewayError as error:
            self._over = True
            self._meter.fail(error)
            name_endpoint(error, self._endpoint)
            raise
        except OneChoiceOnly:
            self._over = True
            raise
        except asyncio.CancelledError:
            await self.aclose()
            raise
        except BaseException:  # a defect of ours: neither the backend's failure nor the client's leaving
            self._over = True
            self._meter.fail(InternalError("the gateway failed"))
            raise
        self._begun = True
        self._meter.see(batch)
        return batch

    def _complete(self) -> Batch | None:
        self._over = True
        if not self._begun:
            error = UpstreamMalformed(f"endpoint '{self._endpoint.name}' answered with nothing")
            self._meter.fail(error)
            raise error
        reported = self._meter.usage
        usage = self._meter.succeed()
        return None if usage is reported else [Frame((UsageReported(usage),))]

    def give_up(self, cause: BaseException) -> None:
        """What comes now is of no use: it is recorded with the failure that is to blame, and not as a client's leaving.
        An attempt that was over stays what it was."""
        if not self._over:
            self._over = True
            self._meter.fail(cause if isinstance(cause, GatewayError) else InternalError("the gateway failed"))

    async def aclose(self) -> None:
        """Close the upstream connection; an attempt that was not over is recorded as aborted."""
        self._over = True
        self._meter.abort()
        await self._batches.aclose()


class Choir:
    """Several attempts sung as one answer: one per choice, for backends that serve one choice at a time.

    Choice indexes follow the order of the attempts; the usage is the sum. A failure of one fails the answer.
    """

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._attempts = attempts
        self._usages: list[Usage | None] = [None] * len(attempts)
        self._waiting: dict[asyncio.Task[Batch | None], int] = {}
        self._ready: list[Batch] = []
        self._started = False
        self._reported = False

    async def next(self) -> Batch | None:
        if not self._started:
            self._started = True
            for index in range(len(self._attempts)):
                self._listen(index)
        while not self._ready:
            if not self._waiting:
                return self._sum()
            done, _ = await asyncio.wait(self._waiting, return_when=asyncio.FIRST_COMPLETED)
            arrived = [(self._waiting.pop(task), task) for task in done]
            broken = [error for _, task in arrived if (error := task.exception())]
            if broken:
                for attempt in self._attempts:
                    attempt.give_up(broken[0])
                raise broken[0]
            for index, task in arrived:
                batch = task.result()
                if batch is not None:
                    self._ready.append(self._renumber(batch, index))
                    self._listen(index)
        return self._ready.pop(0)

    def _listen(self, index: int) -> None:
        self._waiting[asyncio.create_task(self._attempts[index].next())] = index

    def _renumber(self, batch: Batch, index: int) -> Batch:
        events: list[Event] = []
        for frame in batch:
            for event in frame.events:
                match event:
                    case UsageReported():
                        self._usages[index] = event.usage
                    case Started():
                        if index == 0:
                            events.append(event)
                    case Failed():
                        events.append(event)
                    case _:
                        events.append(event._replace(choice=index))
        return [Frame(tuple(events))]

    def _sum(self) -> Batch | None:
        known = [usage for usage in self._usages if usage is not None]
        if self._reported or not known:
            return None
        self._reported = True
        estimated = any(usage.source != "provider" for usage in known)
        total = Usage(
            input_tokens=sum(usage.input_tokens for usage in known),
            output_tokens=sum(usage.output_tokens for usage in known),
            cache_read_tokens=sum(usage.cache_read_tokens for usage in known),
            cache_write_5m_tokens=sum(usage.cache_write_5m_tokens for usage in known),
            cache_write_1h_tokens=sum(usage.cache_write_1h_tokens for usage in known),
            reasoning_tokens=sum(usage.reasoning_tokens for usage in known),
            source="estimated" if estimated else "provider",
        )
        return [Frame((UsageReported(total),))]

    async def aclose(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._waiting.clear()
        for attempt in self._attempts:
            await attempt.aclose()
