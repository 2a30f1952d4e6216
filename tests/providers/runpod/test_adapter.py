from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.chat.events import Finished, Started
from shared.chat.request import Sampling
from shared.errors import (
    UpstreamCut,
    UpstreamFailure,
    UpstreamJobTimedOut,
    UpstreamMalformed,
    UpstreamRefused,
)
from shared.providers.base import OneChoiceOnly, Target, Timeouts
from shared.providers.openai_compatible import OpenAICompatible
from shared.providers.presets import PRESETS
from shared.providers.runpod.adapter import RunPod
from shared.providers.runpod.jobs import Polling
from shared.providers.upstream import PooledUpstream
from shared.wire import loads
from tests.providers.asking import a_completion, a_request, a_target, an_embedding, ask, events_of, kinds, text
from tests.providers.fixtures import fixture_bytes
from tests.providers.loopback import Answer, Loopback, Seen, loopback

FAST = Polling(first=0.001, factor=1.2, longest=0.005, cancel=0.5)
SSE = fixture_bytes("runpod/chat.sse").decode()
WHOLE = loads(fixture_bytes("runpod/whole.json"))
BASE = "/v2/abc"


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with loopback() as server:
        server.on("POST", f"{BASE}/run", Answer({"id": "job-1", "status": "IN_QUEUE"}))
        server.on("POST", f"{BASE}/cancel/job-1", Answer({"id": "job-1", "status": "CANCELLED"}))
        yield server


@pytest.fixture
async def upstream() -> AsyncIterator[PooledUpstream]:
    upstream = PooledUpstream()
    yield upstream
    await upstream.aclose()


@pytest.fixture
def runpod(upstream: PooledUpstream) -> RunPod:
    return RunPod(upstream, openai=OpenAICompatible(upstream, PRESETS["vllm"]), polling=FAST)


def a_worker(server: Loopback, path: str = BASE, **fields: Any) -> Target:
    options = {"mode": "job", **fields.pop("options", {})}
    return a_target(server.url + path, options=options, api_key="rpa_secret", **fields)


def look(status: str, *outputs: Any, **fields: Any) -> Answer:
    return Answer({"id": "job-1", "status": status, "stream": [{"output": output} for output in outputs], **fields})


def streams(server: Loopback, *answers: Any) -> None:
    server.on("GET", f"{BASE}/stream/job-1", *answers)


def statuses(server: Loopback, *answers: Any) -> None:
    server.on("GET", f"{BASE}/status/job-1", *answers)


def count(server: Loopback, path: str) -> int:
    return sum(seen.path == BASE + path for seen in server.seen)


# ── streams ──


async def test_streams_a_job_look_by_look(server: Loopback, runpod: RunPod) -> None:
    cut = SSE.index("wörld") + 2
    streams(
        server, look("IN_QUEUE"), look("IN_PROGRESS"), look("IN_PROGRESS", SSE[:100], SSE[100:cut]),
        look("COMPLETED", SSE[cut:]),
    )  # fmt: skip
    events = await ask(runpod.stream(a_request(), a_worker(server, f"{BASE}/runsync?wait=5")))
    assert events[0] == Started("job-1")
    assert kinds(events).count("Started") == 1
    assert text(events) == "Grüße, wörld 🌍"
    assert kinds(events)[-2:] == ["Finished", "UsageReported"]
    submitted = server.seen[0]
    assert (submitted.method, submitted.path) == ("POST", f"{BASE}/run")
    assert submitted.headers["authorization"] == "Bearer rpa_secret"
    assert submitted.body["input"]["openai_route"] == "/v1/chat/completions"
    assert submitted.body["input"]["openai_input"]["model"] == "actual"
    assert count(server, "/cancel/job-1") == 0


async def test_a_cold_start_is_announced_at_once(server: Loopback, runpod: RunPod) -> None:
    streams(server, *[look("IN_QUEUE")] * 5, look("COMPLETED", SSE))
    stream = runpod.stream(a_request(), a_worker(server))
    assert events_of([await anext(stream)]) == [Started("job-1")]
    assert server.paths() == [f"POST {BASE}/run"]  # not one look yet
    assert text(await ask(stream)) == "Grüße, wörld 🌍"
    assert count(server, "/stream/job-1") == 6


async def test_the_last_items_may_come_behind_completed(server: Loopback, runpod: RunPod) -> None:
    tokens = loads(fixture_bytes("runpod/native_tokens.json"))
    streams(server, look("IN_PROGRESS"), look("COMPLETED", tokens[0]), look("COMPLETED", tokens[1]), look("COMPLETED"))
    events = await ask(runpod.stream(a_request(), a_worker(server, options={"input_shape": "vllm"})))
    assert text(events) == "Grüße, wörld 🌍"
    assert events[-1] == Finished("stop")
    assert server.seen[0].body["input"]["use_openai_format"] == 1


async def test_an_answer_that_ended_is_not_looked_at_again(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("IN_PROGRESS", SSE))
    await ask(runpod.stream(a_request(), a_worker(server)))
    assert server.paths() == [f"POST {BASE}/run", f"GET {BASE}/stream/job-1"]


async def test_a_worker_that_returns_instead_of_yielding(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("IN_PROGRESS"), look("COMPLETED"))
    statuses(server, Answer({**WHOLE, "id": "job-1"}))
    events = await ask(runpod.stream(a_request(), a_worker(server)))
    assert (text(events), kinds(events).count("Started")) == ("Grüße, wörld 🌍", 1)


async def test_the_local_api_wants_posts_and_forgets_jobs(server: Loopback, runpod: RunPod) -> None:
    tokens = loads(fixture_bytes("runpod/native_tokens.json"))
    forgotten = Answer({"id": "test-1", "status": "FAILED", "error": "Job ID not found"})
    server.on("POST", "/run", Answer({"id": "test-1", "status": "IN_PROGRESS"}))
    server.on("POST", "/stream/test-1", look("COMPLETED", *tokens), forgotten)
    for _ in range(2):
        server.on("POST", "/stream/test-1", look("COMPLETED", *tokens), forgotten)
        assert text(await ask(runpod.stream(a_request(), a_worker(server, "")))) == "Grüße, wörld 🌍"
    assert server.paths() == [
        "POST /run", "GET /stream/test-1", "POST /stream/test-1", "POST /stream/test-1",
        "POST /run", "POST /stream/test-1", "POST /stream/test-1",
    ]  # fmt: skip


async def test_the_local_apis_word_for_a_worker_that_cannot_stream(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("FAILED", error="Stream not supported, handler must be a generator."))
    statuses(server, Answer({"id": "job-1", "status": "COMPLETED", "output": {"text": "hello"}}))
    assert text(await ask(runpod.stream(a_request(), a_worker(server)))) == "hello"


@pytest.mark.parametrize(
    ("body", "failure", "code", "words"),
    [
        (loads(fixture_bytes("runpod/failed.json")), UpstreamFailure, "job_failed", "CUDA out of memory"),
        ({"status": "FAILED"}, UpstreamFailure, "job_failed", "failed"),
        ({"status": "FAILED", "output": {"error": "bad input"}}, UpstreamFailure, "job_failed", "bad input"),
        ({"status": "CANCELLED"}, UpstreamFailure, "job_cancelled", "was cancelled"),
        ({"status": "TIMED_OUT"}, UpstreamJobTimedOut, "request_timeout", "execution timeout"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_every_unhappy_end(
    server: Loopback, runpod: RunPod, body: Any, failure: type[UpstreamFailure], code: str, words: str, stream: bool
) -> None:
    ended = Answer({"id": "job-1", **body})
    server.on("POST", f"{BASE}/runsync", Answer({"id": "job-1", "status": "IN_QUEUE"}))
    streams(server, look("IN_PROGRESS"), ended)
    statuses(server, Answer({"id": "job-1", "status": "IN_PROGRESS"}), ended)
    with pytest.raises(failure, match=words) as failed:
        await ask(runpod.stream(a_request(stream=stream), a_worker(server)))
    assert failed.value.code == code
    assert "Traceback" not in failed.value.message
    assert count(server, "/cancel/job-1") == 0  # it is over already


async def test_words_before_a_failure_are_not_lost(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("FAILED", {"text": "half an ans"}, error="worker died"))
    stream = runpod.stream(a_request(), a_worker(server))
    await anext(stream)
    assert text(events_of([await anext(stream)])) == "half an ans"
    with pytest.raises(UpstreamFailure, match="worker died"):
        await anext(stream)


async def test_an_error_in_the_stream_ends_and_cancels_the_job(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("IN_PROGRESS", {"error": {"message": "context length is 10", "code": 400}}))
    with pytest.raises(UpstreamRefused, match="context length"):
        await ask(runpod.stream(a_request(), a_worker(server)))
    assert count(server, "/cancel/job-1") == 1


async def test_a_job_that_completes_without_finishing_its_answer(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("COMPLETED", SSE[: SSE.index("wörld")]), look("COMPLETED"))
    with pytest.raises(UpstreamMalformed):  # broken JSON in the last event
        await ask(runpod.stream(a_request(), a_worker(server)))
    streams(server, look("COMPLETED", SSE[: SSE.index('data: {"id"', 400)]), look("COMPLETED"))
    with pytest.raises(UpstreamCut):
        await ask(runpod.stream(a_request(), a_worker(server)))


async def test_a_stumbling_look_is_repeated_a_lost_job_is_not(server: Loopback, runpod: RunPod) -> None:
    busy = Answer({"error": "rate limit"}, status=429)
    streams(server, busy, Answer(b"oops", status=502), look("COMPLETED", SSE))
    assert text(await ask(runpod.stream(a_request(), a_worker(server)))) == "Grüße, wörld 🌍"
    streams(server, busy)
    with pytest.raises(UpstreamRefused, match="rate limit"):
        await ask(runpod.stream(a_request(), a_worker(server)))
    streams(server, Answer({"error": "job not found"}, status=404))
    with pytest.raises(UpstreamRefused, match="job not found"):
        await ask(runpod.stream(a_request(), a_worker(server)))


# ── leaving ──


async def test_a_client_that_leaves_cancels_the_job(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("IN_PROGRESS", SSE[:400]), look("IN_PROGRESS"))
    stream = runpod.stream(a_request(), a_worker(server))
    await anext(stream)
    await anext(stream)
    await stream.aclose()
    assert count(server, "/cancel/job-1") == 1
    assert server.seen[-1].headers["authorization"] == "Bearer rpa_secret"


async def test_a_cancelled_task_cancels_the_job(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("IN_QUEUE"))
    task = asyncio.create_task(ask(runpod.stream(a_request(), a_worker(server))))
    while not count(server, "/stream/job-1"):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert count(server, "/cancel/job-1") == 1


async def test_a_client_that_leaves_while_the_job_is_submitted(server: Loopback, runpod: RunPod) -> None:
    arrived = asyncio.Event()

    async def slow(_: Seen) -> Answer:
        arrived.set()
        await asyncio.sleep(0.02)
        return Answer({"id": "job-1", "status": "IN_QUEUE"})

    server.on("POST", f"{BASE}/runsync", slow)
    task = asyncio.create_task(ask(runpod.stream(a_request(stream=False), a_worker(server))))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2):
        while not count(server, "/cancel/job-1"):
            await asyncio.sleep(0.002)


async def test_a_cancellation_that_hangs_does_not_hold_anyone(server: Loopback, upstream: PooledUpstream) -> None:
    runpod = RunPod(upstream, openai=OpenAICompatible(upstream, PRESETS["vllm"]), polling=FAST._replace(cancel=0.02))
    server.on("POST", f"{BASE}/cancel/job-1", Answer(delay_seconds=0.3))
    stream = runpod.stream(a_request(), a_worker(server))
    await anext(stream)
    async with asyncio.timeout(0.2):
        await stream.aclose()
    assert count(server, "/cancel/job-1") == 1


# ── patience ──


async def test_a_stream_that_stays_silent_times_out_and_is_cancelled(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("IN_QUEUE"))
    stream = runpod.stream(a_request(), a_worker(server, timeouts=Timeouts(connect=1.0, idle=0.5)))
    with pytest.raises(UpstreamJobTimedOut) as failed:
        await ask(stream)
    assert failed.value.status == 408
    assert count(server, "/cancel/job-1") == 1
    assert count(server, "/stream/job-1") > 2


async def test_progress_renews_patience(server: Loopback, runpod: RunPod) -> None:
    events = [event + "\n\n" for event in SSE.strip().split("\n\n")]
    slow = [Answer(look("IN_PROGRESS", event).body, delay_seconds=0.2) for event in events]
    streams(server, *slow)
    target = a_worker(server, timeouts=Timeouts(connect=1.0, idle=0.2 * (len(events) - 1)))
    assert text(await ask(runpod.stream(a_request(), target))) == "Grüße, wörld 🌍"  # longer than its patience in all


async def test_a_whole_answer_has_a_deadline(server: Loopback, runpod: RunPod) -> None:
    server.on("POST", f"{BASE}/runsync", Answer({"id": "job-1", "status": "IN_PROGRESS"}))
    statuses(server, Answer({"id": "job-1", "status": "IN_PROGRESS"}))
    target = a_worker(server, timeouts=Timeouts(connect=1.0, idle=5.0, total=0.05))
    with pytest.raises(UpstreamJobTimedOut):
        await ask(runpod.stream(a_request(stream=False), target))
    assert count(server, "/cancel/job-1") == 1


# ── whole answers ──


async def test_a_whole_answer_comes_at_once_when_it_is_ready(server: Loopback, runpod: RunPod) -> None:
    server.on("POST", f"{BASE}/runsync", Answer(WHOLE))
    batches = [batch async for batch in runpod.stream(a_request(stream=False), a_worker(server))]
    ((frame,),) = batches
    assert [type(event).__name__ for event in frame.events] == ["Started", "TextDelta", "Finished", "UsageReported"]
    assert frame.native is not None
    assert frame.native.wire == "openai_chat/whole"
    assert server.seen[0].query == {"wait": "10000"}
    assert "stream" not in server.seen[0].body["input"]["openai_input"]


async def test_a_whole_answer_is_looked_for_until_it_is_ready(server: Loopback, runpod: RunPod) -> None:
    server.on("POST", f"{BASE}/runsync", Answer({"id": "job-1", "status": "IN_QUEUE"}))
    statuses(
        server, Answer({"id": "job-1", "status": "IN_QUEUE"}),
        Answer({"id": "job-1", "status": "IN_PROGRESS", "output": "progress: 50 %"}), Answer({**WHOLE, "id": "job-1"}),
    )  # fmt: skip
    events = await ask(runpod.stream(a_request(stream=False), a_worker(server)))
    assert text(events) == "Grüße, wörld 🌍"
    assert count(server, "/status/job-1") == 3
    assert count(server, "/cancel/job-1") == 0


async def test_a_streaming_client_of_a_whole_answer_is_kept_alive_too(server: Loopback, runpod: RunPod) -> None:
    statuses(server, Answer({"id": "job-1", "status": "IN_QUEUE"}), Answer({**WHOLE, "id": "job-1"}))
    stream = runpod.stream(a_request(), a_worker(server, whole=True))
    assert events_of([await anext(stream)]) == [Started("job-1")]
    assert text(await ask(stream)) == "Grüße, wörld 🌍"
    assert server.seen[0].path == f"{BASE}/run"
    assert "stream" not in server.seen[0].body["input"]["openai_input"]


async def test_an_error_in_a_completed_output_is_raised_before_anything_is_promised(
    server: Loopback, runpod: RunPod
) -> None:
    server.on(
        "POST", f"{BASE}/runsync", Answer({"id": "job-1", "status": "COMPLETED", "output": [{"error": "no memory"}]})
    )
    with pytest.raises(UpstreamFailure, match="no memory"):
        await ask(runpod.stream(a_request(stream=False), a_worker(server)))
    assert count(server, "/cancel/job-1") == 0


async def test_completed_without_an_output_is_malformed(server: Loopback, runpod: RunPod) -> None:
    server.on("POST", f"{BASE}/runsync", Answer({"id": "job-1", "status": "COMPLETED"}))
    statuses(server, Answer({"id": "job-1", "status": "COMPLETED"}))
    with pytest.raises(UpstreamMalformed):
        await ask(runpod.stream(a_request(stream=False), a_worker(server)))


async def test_completions_and_choices(server: Loopback, runpod: RunPod) -> None:
    output = {"id": "cmpl-1", "choices": [{"index": 0, "text": " upon", "finish_reason": "length"}]}
    server.on("POST", f"{BASE}/runsync", Answer({"id": "job-1", "status": "COMPLETED", "output": [output]}))
    events = await ask(runpod.stream(a_completion(stream=False), a_worker(server)))
    assert (text(events), events[-1]) == (" upon", Finished("length"))
    two = a_request(sampling=Sampling(n=2))
    assert runpod.serves_choices(two, a_worker(server))
    vllm = a_worker(server, options={"input_shape": "vllm"})
    assert not runpod.serves_choices(two, vllm)
    with pytest.raises(OneChoiceOnly):
        await ask(runpod.stream(two, vllm))


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (Answer(b"", status=401), UpstreamRefused),
        (Answer({"error": "too large"}, status=413), UpstreamRefused),
        (Answer({"hello": "world"}), UpstreamMalformed),
        (Answer(b"<html>", content_type="text/html"), UpstreamMalformed),
    ],
)
async def test_a_job_that_is_not_accepted_fails_before_the_first_event(
    server: Loopback, runpod: RunPod, answer: Answer, failure: type[UpstreamFailure]
) -> None:
    server.on("POST", f"{BASE}/run", answer)
    with pytest.raises(failure):
        await anext(runpod.stream(a_request(), a_worker(server)))


# ── the OpenAI route ──


def chat(server: Loopback) -> None:
    answer = Answer(SSE.encode(), content_type="text/event-stream")
    server.on("POST", f"{BASE}/openai/v1/chat/completions", answer)


@pytest.mark.parametrize("mode", [None, "openai", "auto"])
@pytest.mark.parametrize("suffix", ["", "/", "/run", "/openai/v1", "/openai/v1/"])
async def test_the_openai_route_is_taken_where_there_is_one(
    server: Loopback, runpod: RunPod, mode: str | None, suffix: str
) -> None:
    chat(server)
    target = a_worker(server, BASE + suffix, options={"mode": mode})
    assert text(await ask(runpod.stream(a_request(), target))) == "Grüße, wörld 🌍"
    assert server.paths() == [f"POST {BASE}/openai/v1/chat/completions"]
    assert server.seen[0].headers["authorization"] == "Bearer rpa_secret"


async def test_without_an_openai_route_jobs_are_run_and_that_is_remembered(server: Loopback, runpod: RunPod) -> None:
    streams(server, look("COMPLETED", SSE))
    target = a_worker(server, options={"mode": "auto", "input_shape": "vllm"})
    assert runpod.serves_choices(a_request(sampling=Sampling(n=2)), target)
    for _ in range(2):
        assert text(await ask(runpod.stream(a_request(user="me"), target))) == "Grüße, wörld 🌍"
    assert count(server, "/openai/v1/chat/completions") == 1
    assert not runpod.serves_choices(a_request(sampling=Sampling(n=2)), target)
    assert runpod.dropped(a_request(user="me"), target) == ("user",)


async def test_what_was_remembered_is_forgotten_later(server: Loopback, upstream: PooledUpstream) -> None:
    now = 0.0
    runpod = RunPod(upstream, OpenAICompatible(upstream, PRESETS["vllm"]), polling=FAST, now=lambda: now)
    streams(server, look("COMPLETED", SSE))
    target = a_worker(server, options={"mode": None})
    await ask(runpod.stream(a_request(), target))
    chat(server)
    now = 601.0
    await ask(runpod.stream(a_request(), target))
    assert server.paths()[-1] == f"POST {BASE}/openai/v1/chat/completions"


async def test_no_job_is_run_for_what_the_openai_route_refuses(server: Loopback, runpod: RunPod) -> None:
    unknown = Answer({"error": {"message": "The model `x` does not exist.", "code": 404}}, status=404)
    server.on("POST", f"{BASE}/openai/v1/chat/completions", unknown, Answer({"error": "no"}, status=400))
    for words in ("does not exist", "no"):
        with pytest.raises(UpstreamRefused, match=words):
            await ask(runpod.stream(a_request(), a_worker(server, options={"mode": "auto"})))
    server.on("POST", f"{BASE}/openai/v1/chat/completions", Answer(b"nothing here", status=404))
    with pytest.raises(UpstreamRefused):
        await ask(runpod.stream(a_request(), a_worker(server, options={"mode": "openai"})))
    assert count(server, "/run") == 0


async def test_embeddings_and_models_take_the_openai_route(server: Loopback, runpod: RunPod) -> None:
    server.on("POST", f"{BASE}/openai/v1/embeddings", Answer({"data": [{"index": 0, "embedding": [1.0]}]}))
    server.on("GET", f"{BASE}/openai/v1/models", Answer({"data": [{"id": "actual"}]}))
    assert (await runpod.embed(an_embedding("a"), a_worker(server))).vectors == [[1.0]]
    assert await runpod.models(a_worker(server, f"{BASE}/runsync")) == ["actual"]
