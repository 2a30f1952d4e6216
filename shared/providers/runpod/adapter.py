"""Talks to a RunPod endpoint: through its OpenAI route, or by jobs that are submitted and looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from shared.chat.events import Batch, Frame, Started
from shared.chat.request import ChatRequest, EmbeddingRequest
from shared.errors import UpstreamFailure, UpstreamRefused
from shared.providers.base import Adapter, Embeddings, OneChoiceOnly, Target, Upstream
from shared.providers.ollama.images import fetch_image
from shared.providers.ollama.messages import image_urls
from shared.providers.openai_compatible.request import COMPLETIONS
from shared.providers.runpod.address import openai_url
from shared.providers.runpod.events import OutputDecoder
from shared.providers.runpod.jobs import DEFAULT_POLLING, Job, Jobs, Patience, Polling, timed_out, unsuccessful
from shared.providers.runpod.request import dropped, job_input, shape_of, speaks_openai

_REMEMBER_SECONDS = 600.0
_MOST_REMEMBERED = 1_000
_MOST_LOOKS_AFTER_END = 50


class _Watch:
    """The job as it was last seen, and how long it may still take."""

    def __init__(self, job: Job, target: Target, patience: Patience) -> None:
        self.job = job
        self.target = target
        self.patience = patience

    def saw(self, job: Job, *, progress: bool = False) -> None:
        if progress or job.status != self.job.status:
            self.patience.progress()
        self.job = job


class RunPod:
    """The endpoint's option `mode` chooses: `openai`, `job`, or `auto` (the default), which tries the OpenAI route and
    remembers for ten minutes where there is none."""

    def __init__(
        self,
        upstream: Upstream,
        openai: Adapter,
        polling: Polling = DEFAULT_POLLING,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._openai = openai
        self._polling = polling
        self._now = now
        self._jobs = Jobs(upstream, polling)
        self._without_openai: dict[tuple[int, str], float] = {}

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        if not self._by_jobs(target):
            asked = self._openai.stream(request, _at_openai(target))
            try:
                async with aclosing(asked):
                    async for batch in asked:
                        yield batch
                return
            except UpstreamRefused as refused:
                if target.endpoint.options.get("mode") == "openai" or not _lacks_route(refused):
                    raise
                if len(self._without_openai) >= _MOST_REMEMBERED:
                    self._without_openai.clear()
                self._without_openai[_server(target)] = self._now() + _REMEMBER_SECONDS
        asked = self._run(request, target)
        async with aclosing(asked):
            async for batch in asked:
                yield batch

    async def _run(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        """One job. A client that streams hears `Started` as soon as the job is accepted: a cold start takes minutes,
        and keep-alives flow only behind the first event. A client that waits for a whole answer can still be served
        by another target until the job is done."""
        if not self._serves_by_job(request, target):
            raise OneChoiceOnly
        streams = request.stream and not target.whole
        work = {"input": job_input(request, target, await self._images(request, target), stream=streams)}
        patience = Patience(target.timeouts, self._now, stream=request.stream)
        route = "/run" if request.stream else f"/runsync?wait={self._polling.wait_milliseconds}"
        watch = _Watch(await self._jobs.submit(route, work, target), target, patience)
        decoder = OutputDecoder(
            target.endpoint.name,
            watch.job.id,
            announced=request.stream,
            legacy=request.native.wire == COMPLETIONS,
            stream=streams,
        )
        try:
            if request.stream:
                yield [Frame((Started(watch.job.id),))]
            followed = self._follow(watch, decoder) if streams else self._await(watch, decoder)
            async with aclosing(followed):
                async for batch in followed:
                    yield batch
        finally:
            if not watch.job.final and not decoder.ended:
                await self._jobs.cancel(watch.job, target)

    async def _follow(self, watch: _Watch, decoder: OutputDecoder) -> AsyncGenerator[Batch, None]:
        """What `/stream/{id}` shows, look by look. The last items can come with COMPLETED or behind it."""
        fruitless = looks_after_end = 0
        while not decoder.ended and looks_after_end < _MOST_LOOKS_AFTER_END:
            completed = watch.job.status == "COMPLETED"
            looks_after_end += completed
            items = await self._items(watch)
            if completed and not items:
                break
            failure: UpstreamFailure | None = None
            batch: Batch = []
            try:
                for item in items:
                    decoder.feed(_output(item), batch)
            except UpstreamFailure as error:
                failure = error
            if batch:
                yield batch
            if failure:
                raise failure
            if watch.job.final and watch.job.status != "COMPLETED":
                if _cannot_stream(watch.job):
                    watch.job = watch.job._replace(status="IN_PROGRESS")
                    break
                raise unsuccessful(watch.job, watch.target)
            fruitless = 0 if items else fruitless + 1
            if not watch.job.final and not decoder.ended:
                await self._pause(fruitless, watch)
        if decoder.seen:
            batch = []
            decoder.finish(batch)
            if batch:
                yield batch
        else:  # a worker that returns instead of yielding
            awaited = self._await(watch, decoder)
            async with aclosing(awaited):
                async for batch in awaited:
                    yield batch

    async def _items(self, watch: _Watch) -> list[object]:
        job = watch.job
        try:
            seen = await self._jobs.look("stream", job, watch.target, watch.patience)
        except UpstreamRefused:
            if job.status != "COMPLETED":
                raise
            return []
        if job.status == "COMPLETED" and seen.status == "FAILED":  # the local API forgets a job when it has ended
            return []
        items = seen.body.get("stream")
        items = items if isinstance(items, list) else []
        watch.saw(seen, progress=bool(items))
        return items

    async def _await(self, watch: _Watch, decoder: OutputDecoder) -> AsyncGenerator[Batch, None]:
        """The whole output, as soon as `/status/{id}` has it; progress updates of a running job are not the output."""
        looks = 0
        while not watch.job.final or (watch.job.status == "COMPLETED" and "output" not in watch.job.body and not looks):
            if looks:
                await self._pause(looks, watch)
            looks += 1
            watch.saw(await self._jobs.look("status", watch.job, watch.target, watch.patience))
        if watch.job.status != "COMPLETED":
            raise unsuccessful(watch.job, watch.target)
        batch: Batch = []
        decoder.feed(watch.job.body.get("output"), batch)
        decoder.finish(batch)
        yield batch

    async def _pause(self, fruitless: int, watch: _Watch) -> None:
        if watch.patience.seconds <= 0:
            raise timed_out(watch.target)
        await asyncio.sleep(min(self._polling.delay(fruitless), watch.patience.seconds))

    async def _images(self, request: ChatRequest, target: Target) -> dict[str, str]:
        if shape_of(target) != "ollama_chat":
            return {}
        private = target.endpoint.options.get("private_image_urls") is True
        return {
            url: await fetch_image(self._upstream, url, allow_private=private) for url in image_urls(request.messages)
        }

    async def embed(self, request: EmbeddingRequest, target: Target) -> Embeddings:
        return await self._openai.embed(request, _at_openai(target))

    async def models(self, target: Target) -> list[str]:
        return await self._openai.models(_at_openai(target))

    def dropped(self, request: ChatRequest, target: Target) -> tuple[str, ...]:
        if self._by_jobs(target) and not speaks_openai(shape_of(target)):
            return dropped(request, shape_of(target))
        return self._openai.dropped(request, _at_openai(target))

    def serves_choices(self, request: ChatRequest, target: Target) -> bool:
        if self._by_jobs(target):
            return self._serves_by_job(request, target)
        return self._openai.serves_choices(request, _at_openai(target))

    def _serves_by_job(self, request: ChatRequest, target: Target) -> bool:
        return speaks_openai(shape_of(target)) or (request.sampling.n == 1 and len(request.prompts) <= 1)

    def _by_jobs(self, target: Target) -> bool:
        mode = target.endpoint.options.get("mode")
        return mode == "job" or (mode != "openai" and self._without_openai.get(_server(target), 0.0) > self._now())


def _lacks_route(refused: UpstreamFailure) -> bool:
    """A 404 that speaks of the model is the worker's own answer."""
    return (
        isinstance(refused, UpstreamRefused)
        and refused.upstream_status in (404, 405)
        and refused.code != "model_not_found"
        and "model" not in refused.message.lower()
    )


def _cannot_stream(job: Job) -> bool:
    """The local API's word for a handler that returns instead of yielding."""
    return job.status == "FAILED" and "Stream not supported" in str(job.body.get("error"))


def _output(item: object) -> object:
    """Items of `/stream` are `{"output": …}`; some versions leave the wrapper away."""
    return item["output"] if isinstance(item, dict) and "output" in item else item


def _server(target: Target) -> tuple[int, str]:
    return target.endpoint.id, target.endpoint.url


def _at_openai(target: Target) -> Target:
    return replace(target, endpoint=replace(target.endpoint, url=openai_url(target.endpoint.url)))
