"""The whole product on one page: resolve the virtual model, try its targets, transform what they say, record it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

from shared.chat.events import Batch, Frame
from shared.chat.request import ChatRequest, EmbeddingRequest, Message, TextPart
from shared.errors import GatewayError, InternalError, ModelNotAllowed, ModelNotFound, NoEndpointEnabled
from shared.gateway.attempt import Attempt, Choir, Source
from shared.gateway.catalog import Catalog, VirtualModel
from shared.gateway.failures import name_endpoint
from shared.gateway.limits import UNLIMITED, Limiter, Limits, bounded, check_model, demand_of
from shared.gateway.metering import Caller, Meter, Tally
from shared.gateway.records import Recorder
from shared.gateway.routing import Route, Stop, apply_policy, resolve
from shared.gateway.steps import Step, Steps
from shared.providers.base import Adapter, Embeddings, Endpoint, OneChoiceOnly, Target, Timeouts


class CatalogSource(Protocol):
    async def get(self) -> Catalog:
        """A catalog a few seconds old at most, from memory when warm."""
        ...

    async def refreshed(self) -> Catalog:
        """The catalog as it is now; asked when a model is not known, which may have been added a moment ago."""
        ...

    async def settle(self) -> None:
        """After the client's last byte: what is looked up behind requests comes to its end. Lambda freezes a process
        between two requests, and what is asked then has no answer."""
        ...


class AdapterTable(Protocol):
    def __getitem__(self, endpoint_type: str) -> Adapter: ...


class KeyRing(Protocol):
    async def reveal(self, endpoint: Endpoint) -> str | None:
        """The endpoint's API key in the clear; answers from memory when warm."""
        ...

    async def headers(self, model: VirtualModel) -> Mapping[str, str]:
        """The virtual model's custom headers, the secret ones in the clear."""
        ...


class HealthNotes(Protocol):
    def note(self, endpoint_id: int, ok: bool, error_code: str | None) -> None:
        """Remember how the endpoint was last seen; never blocks."""
        ...


class Answer:
    """An answer whose first batch has arrived: from here on, nothing is retried.

    `next` gives batch after batch and then None; it raises the GatewayError that broke the answer off. `aclose` must
    be called in every ending: it closes the upstream connection and records an answer nobody waited for.
    """

    def __init__(self, route: Route, stop: Stop, source: Source, first: Batch, steps: list[Step], tally: Tally) -> None:
        self.virtual_model = route.virtual_model
        self.stop = stop
        self.attempts = 1
        self.dropped: tuple[str, ...] = ()
        self._source = source
        self._first: Batch | None = first
        self._steps = steps
        self._tally = tally
        self._over = False

    async def next(self) -> Batch | None:
        while not self._over:
            batch, self._first = self._first, None
            if batch is None:
                asked = time.monotonic()
                batch = await self._source.next()
                self._tally.waited_seconds += time.monotonic() - asked
            if batch is None:
                self._over = True
                batch = self._finish()
            else:
                for step in self._steps:
                    batch = step.feed(batch)
            if batch:
                return batch
        return None

    def _finish(self) -> Batch:
        """What the steps still hold back, each passed through the steps behind it."""
        batch: list[Frame] = []
        for step in self._steps:
            batch = [*step.feed(batch), *step.finish()] if batch else step.finish()
        return batch

    async def aclose(self) -> None:
        await self._source.aclose()


class Gateway:
    """Everything a request needs, handed in once per process."""

    def __init__(
        self,
        *,
        catalog: CatalogSource,
        adapters: AdapterTable,
        keys: KeyRing,
        recorder: Recorder,
        health: HealthNotes,
        timeouts: Timeouts,
        queue: Endpoint | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self.catalog = catalog
        self.recorder = recorder
        self._adapters = adapters
        self._keys = keys
        self._health = health
        self._timeouts = timeouts
        self._queue = queue
        self._limiter = limiter
        self._steps = Steps()

    async def answer(self, request: ChatRequest, caller: Caller) -> Answer:
        """Ask target after target until one answers; raises the last target's failure."""
        route = await self._route(request.model, caller.limits)
        request = apply_policy(request, route.virtual_model)
        request = bounded(
            request, caller.limits, route.virtual_model.prices, route.catalog.settings.budget_output_tokens
        )
        await self._reserve(request, route, caller)
        failure: GatewayError = NoEndpointEnabled(f"virtual model {request.model!r} has no target", param="model")
        for number, stop in enumerate(route.stops, 1):
            try:
                answer = await self._try(request, route, stop, caller, number)
            except GatewayError as error:
                self._note(stop, error)
                failure = error
                if not error.another_target_may_help:
                    raise
            else:
                self._note(stop, None)
                answer.attempts = number
                return answer
        raise failure

    async def settle(self, caller: Caller) -> None:
        """After the client's last byte: what its key has used, and what the ledger still has to write."""
        lease, caller.tally.lease = caller.tally.lease, None
        if lease is not None and lease.id and self._limiter is not None:
            tokens = sum(record.tokens for record in caller.tally.records)
            cost = sum(record.cost for record in caller.tally.records)
            # a caller that is cancelled, because its client has left, has used it all the same
            await asyncio.shield(self._limiter.settle(lease, tokens, cost))
        await self.recorder.flush()
        await self.catalog.settle()

    async def _reserve(self, request: ChatRequest | EmbeddingRequest, route: Route, caller: Caller) -> None:
        """Once per request, whatever number of targets is tried. Raises RateLimited."""
        limits = caller.limits
        if self._limiter is None or limits is UNLIMITED or not limits.counted:
            return
        demand = demand_of(request, limits, route.virtual_model.prices)
        seconds = None if caller.deadline is None else max(0.0, caller.deadline - time.monotonic())
        caller.tally.lease = await self._limiter.reserve(caller.key_id, limits, demand, seconds)

    async def _route(self, model: str, limits: Limits) -> Route:
        try:
            return self._resolved(await self.catalog.get(), model, limits)
        except (ModelNotFound, ModelNotAllowed):
            return self._resolved(await self.catalog.refreshed(), model, limits)

    def _resolved(self, catalog: Catalog, model: str, limits: Limits) -> Route:
        """A key that may use a virtual model may use it under its aliases."""
        found = catalog.virtual_models.get(model)
        check_model(limits, model if found is None else found.name)
        return resolve(catalog, model, catalog.queue or self._queue)

    async def _try(self, request: ChatRequest, route: Route, stop: Stop, caller: Caller, number: int) -> Answer:
        """One target: its answer, once the first batch is there."""
        adapter = self._adapters[stop.endpoint.type]
        target = await self._target(route, stop)
        together = adapter.serves_choices(request, target)
        source = self._attempts(adapter, request, target, route, stop, caller, number, together=together)
        asked = time.monotonic()
        try:
            first = await source.next()
        except OneChoiceOnly:
            source = self._attempts(adapter, request, target, route, stop, caller, number, together=False)
            try:
                first = await source.next()
            except BaseException:
                await source.aclose()
                raise
        except BaseException:  # a client that left, too: the backend's connection must not stay open
            await source.aclose()
            raise
        finally:
            caller.tally.waited_seconds += time.monotonic() - asked
        answer = Answer(route, stop, source, first or [], self._steps(request, route, stop), caller.tally)
        answer.dropped = adapter.dropped(request, target)
        return answer

    def _attempts(
        self,
        adapter: Adapter,
        request: ChatRequest,
        target: Target,
        route: Route,
        stop: Stop,
        caller: Caller,
        number: int,
        *,
        together: bool,
    ) -> Source:
        def attempt(request: ChatRequest, number: int) -> Attempt:
            meter = Meter(self.recorder, request, stop, caller, number, route.virtual_model)
            return Attempt(adapter, request, target, meter)

        if together:
            return attempt(request, number)
        # attempts of one request are told apart by their number: 1, 2, … for targets, 1001, 1002, … within a choir
        singles = enumerate(one_choice_each(request), number * 1_000 + 1)
        return Choir([attempt(single, each) for each, single in singles])

    async def embed(self, request: EmbeddingRequest, caller: Caller) -> tuple[Embeddings, Stop]:
        """The vectors of the first target that has them."""
        route = await self._route(request.model, caller.limits)
        await self._reserve(request, route, caller)
        failure: GatewayError = NoEndpointEnabled(f"virtual model {request.model!r} has no target", param="model")
        for number, stop in enumerate(route.stops, 1):
            meter = Meter(self.recorder, request, stop, caller, number, route.virtual_model)
            try:
                target = await self._target(route, stop)
                asked = time.monotonic()
                try:
                    answer = await self._adapters[stop.endpoint.type].embed(request, target)
                finally:
                    caller.tally.waited_seconds += time.monotonic() - asked
            except GatewayError as error:
                meter.fail(error)
                name_endpoint(error, stop.endpoint)
                self._note(stop, error)
                failure = error
                if not error.another_target_may_help:
                    raise
            except asyncio.CancelledError:
                meter.abort()
                raise
            except BaseException:  # a defect of ours, recorded as one and not as a client that left
                meter.fail(InternalError("the gateway failed"))
                raise
            else:
                meter.usage = answer.usage
                self._note(stop, None)
                return answer._replace(usage=meter.succeed()), stop
        raise failure

    async def _target(self, route: Route, stop: Stop) -> Target:
        patience = stop.endpoint.options.get("timeout_seconds")
        return Target(
            endpoint=stop.endpoint,
            model=stop.actual_model,
            api_key=await self._keys.reveal(stop.endpoint),
            headers=await self._keys.headers(route.virtual_model),
            timeouts=self._timeouts._replace(idle=patience, total=patience) if patience else self._timeouts,
            whole=route.virtual_model.disable_streaming,
        )

    def _note(self, stop: Stop, error: GatewayError | None) -> None:
        """An endpoint that refuses a bad request is well; one that cannot be reached or refuses our key is not."""
        ill = error is not None and (error.another_target_may_help or error.status >= 500)
        self._health.note(stop.endpoint.id, not ill, error.code if error and ill else None)


def one_choice_each(request: ChatRequest) -> list[ChatRequest]:
    """The request once per choice: for every prompt of a completion, `n` times."""
    single = request.sampling._replace(n=1)
    if len(request.prompts) <= 1:
        return [request._replace(sampling=single)] * request.sampling.n
    system = request.messages if request.policy.system_prompt else ()
    return [
        request._replace(
            sampling=single,
            prompts=(prompt,),
            messages=(*system, *((Message("user", (TextPart(prompt),)),) if isinstance(prompt, str) else ())),
        )
        for prompt in request.prompts
        for _ in range(request.sampling.n)
    ]
