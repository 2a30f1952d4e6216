"""RunPod's job routes: submit, look, cancel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple
from urllib.parse import quote

from shared.errors import (
    GatewayError,
    UpstreamFailure,
    UpstreamJobTimedOut,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTimedOut,
)
from shared.providers.base import Target, Timeouts, Upstream
from shared.providers.http import clean, parse_object, refuse
from shared.providers.runpod.address import worker_url
from shared.providers.runpod.events import job_failure
from shared.wire import JsonObject, dumps

FINAL = frozenset(("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"))
_MOST_MISSED_LOOKS = 3
_MOST_REMEMBERED = 1_000
_log = logging.getLogger(__name__)


class Polling(NamedTuple):
    """Seconds. Looks at a job come after `first`, then `factor` times later each, up to `longest`.

    `wait` is how long `/runsync` holds its answer back (RunPod takes 1 to 300): until then the job's id is not known,
    so it is kept short. `cancel` bounds the wait for a cancellation.
    """

    first: float = 0.15
    factor: float = 1.5
    longest: float = 2.0
    wait: float = 10.0
    cancel: float = 2.0

    @property
    def wait_milliseconds(self) -> int:
        return int(min(max(self.wait, 1.0), 300.0) * 1000)

    def delay(self, fruitless_looks: int) -> float:
        return min(self.first * self.factor ** min(fruitless_looks, 50), self.longest)


DEFAULT_POLLING = Polling()


class Patience:
    """How long a job may still take: a whole answer its `total` (or `idle`) in all, a stream its `idle` at a time."""

    def __init__(self, timeouts: Timeouts, now: Callable[[], float], *, stream: bool) -> None:
        self._seconds = timeouts.idle if stream else timeouts.total or timeouts.idle
        self._stream = stream
        self._now = now
        self._until = now() + self._seconds

    def progress(self) -> None:
        if self._stream:
            self._until = self._now() + self._seconds

    @property
    def seconds(self) -> float:
        return self._until - self._now()


class Job(NamedTuple):
    """What RunPod says of a job."""

    id: str
    status: str
    body: JsonObject

    @property
    def final(self) -> bool:
        return self.status in FINAL


class Jobs:
    """Speaks to the job routes. Cancellations outlive the request that asked for them, never longer than bounded."""

    def __init__(self, upstream: Upstream, polling: Polling) -> None:
        self._upstream = upstream
        self._polling = polling
        self._background: set[asyncio.Task[Any]] = set()
        self._posted: set[str] = set()  # the SDK's local API wants POST for looks

    async def submit(self, route: str, job: JsonObject, target: Target) -> Job:
        """Submit `{"input": …}` to `/run` or `/runsync`; a caller that is cancelled meanwhile cancels the job."""
        task = self._spawn(self._submit(route, job, target))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._spawn(self._abandon(task, target))
            raise

    async def _submit(self, route: str, job: JsonObject, target: Target) -> Job:
        try:
            body = await self._json("POST", route, target, target.timeouts, job)
        except UpstreamTimedOut as silent:
            raise timed_out(target) from silent
        if not isinstance(body.get("id"), str) or not isinstance(body.get("status"), str):
            if body.get("error"):
                raise job_failure(body["error"], target.endpoint.name)
            raise UpstreamMalformed(f"endpoint '{target.endpoint.name}' did not answer with a job's id and status")
        return Job(body["id"], body["status"], body)

    async def _abandon(self, submitted: asyncio.Task[Job], target: Target) -> None:
        try:
            job = await submitted
        except GatewayError:
            return  # it was never accepted
        if not job.final:
            await self._cancel(job.id, target)

    async def look(self, route: str, job: Job, target: Target, patience: Patience) -> Job:
        """`/status/{id}` or `/stream/{id}`; a busy or stumbling RunPod is asked again, a few times."""
        for missed in range(_MOST_MISSED_LOOKS + 1):
            if patience.seconds <= 0:
                raise timed_out(target)
            try:
                body = await self._look(f"/{route}/{quote(job.id, safe='')}", target, patience)
                return Job(job.id, str(body.get("status") or "IN_PROGRESS"), body)
            except UpstreamFailure as failure:
                if patience.seconds <= 0:
                    raise timed_out(target) from failure
                if missed == _MOST_MISSED_LOOKS or not failure.another_target_may_help:
                    raise
                await asyncio.sleep(min(self._polling.delay(missed), patience.seconds))
        raise AssertionError("the last look returns or raises")

    async def _look(self, path: str, target: Target, patience: Patience) -> JsonObject:
        server = worker_url(target.endpoint.url)
        timeouts = Timeouts(target.timeouts.connect, idle=max(patience.seconds, 0.001))
        if server not in self._posted:
            try:
                return await self._json("GET", path, target, timeouts)
            except UpstreamRefused as refused:
                if refused.upstream_status != 405:
                    raise
                if len(self._posted) >= _MOST_REMEMBERED:
                    self._posted.clear()
                self._posted.add(server)
        return await self._json("POST", path, target, timeouts, {})

    async def cancel(self, job: Job, target: Target) -> None:
        """Tell RunPod that nobody waits any more. Waits for that at most `polling.cancel` seconds and never raises."""
        await asyncio.shield(self._spawn(self._cancel(job.id, target)))

    async def _cancel(self, job_id: str, target: Target) -> None:
        seconds = self._polling.cancel
        try:
            async with asyncio.timeout(seconds):
                await self._json(
                    "POST", f"/cancel/{quote(job_id, safe='')}", target, Timeouts(seconds, seconds, seconds)
                )
        except (UpstreamFailure, TimeoutError) as failure:
            _log.info("job %s could not be cancelled: %s", clean(job_id), type(failure).__name__)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _json(
        self, method: str, path: str, target: Target, timeouts: Timeouts, body: JsonObject | None = None
    ) -> JsonObject:
        headers = {"accept": "application/json", "content-type": "application/json", "user-agent": "serverless-proxy"}
        if target.api_key:
            headers["authorization"] = f"Bearer {target.api_key}"
        headers.update({name.lower(): value for name, value in target.headers.items()})
        endpoint = target.endpoint.name
        async with self._upstream.request(
            method,
            worker_url(target.endpoint.url) + path,
            headers=headers,
            body=None if body is None else dumps(body),
            timeouts=timeouts,
        ) as response:
            answer = await response.read()
            if not 200 <= response.status < 300:
                raise refuse(response.status, response.headers, answer, endpoint)
        return parse_object(answer, endpoint)


def timed_out(target: Target) -> UpstreamJobTimedOut:
    return UpstreamJobTimedOut(f"the job on endpoint '{target.endpoint.name}' did not end in time")


def unsuccessful(job: Job, target: Target) -> UpstreamFailure:
    """Why a job in a final state other than COMPLETED has no answer."""
    endpoint = target.endpoint.name
    if job.status == "TIMED_OUT":
        return UpstreamJobTimedOut(f"the job on endpoint '{endpoint}' exceeded the endpoint's execution timeout")
    if job.status == "CANCELLED":
        return UpstreamFailure(f"the job on endpoint '{endpoint}' was cancelled", code="job_cancelled")
    output = job.body.get("output")
    return job_failure(job.body.get("error") or (output.get("error") if isinstance(output, dict) else None), endpoint)
