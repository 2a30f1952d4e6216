"""The pace of a chat answer: keep-alives, clients that leave or read slowly, failures after the status was given."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from shared.chat.events import Batch, Frame, TextDelta
from shared.chat.request import ChatRequest
from shared.providers.base import Target, Timeouts
from tests.contract.asking import check_chunks, chunks_of, text_in
from tests.upstreams.openai import DONE, recorded
from tests.upstreams.script import CUT, HANG, Gate, Pause, Reply, event, frames_of, says, streams
from tests.upstreams.server import Upstream
from tests.web.serving import KEEP_ALIVE, serving

FRAMES = frames_of("openai/text.sse")
TEXT = "Grüße aus 東京 🗼"
SOON = 0.02  # seconds of silence


def error_of(body: bytes) -> dict[str, Any]:
    """The error frame that a stream ends with."""
    assert b"[DONE]" not in body
    last = [frame for frame in body.split(b"\n\n") if frame][-1]
    error: dict[str, Any] = json.loads(last.removeprefix(b"data: "))["error"]
    return error


async def left(upstream: Upstream) -> bool:
    """Whether the gateway has closed every connection before its answer's end."""
    return all([await asyncio.to_thread(seen.left.wait, 5) for seen in upstream.seen])


async def test_silence_before_the_first_event_is_filled(first: Upstream) -> None:
    gate = Gate()
    first.on("actual", streams(*FRAMES, before=(gate,)))
    async with serving(first.url, keep_alive_seconds=SOON) as served:
        asked = await served.ask()
        status, headers = await asked.head()
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert headers["x-request-id"]
        assert [await asked.piece() for _ in range(3)] == [KEEP_ALIVE] * 3
        gate.open()
        body = (await asked.rest()).replace(KEEP_ALIVE, b"")
        check_chunks(chunks_of(body), "fast")
        assert text_in(chunks_of(body)) == TEXT
        (record,) = await served.settled()
        assert (record.status, record.outcome) == (200, "success")


async def test_silence_between_events_is_filled(first: Upstream) -> None:
    gate = Gate()
    first.on("actual", streams(*FRAMES[:2], gate, *FRAMES[2:]))
    async with serving(first.url, keep_alive_seconds=SOON) as served:
        asked = await served.ask()
        await asked.head()
        seen = b""
        while seen.count(KEEP_ALIVE) < 3:
            seen += await asked.piece()
        gate.open()
        body = seen + await asked.rest()
        assert text_in(chunks_of(body)) == TEXT
        assert body.endswith(DONE)


async def test_a_busy_stream_needs_no_keep_alives(first: Upstream) -> None:
    first.on("actual", streams(*(step for frame in FRAMES for step in (frame, Pause(0.02)))))
    async with serving(first.url, keep_alive_seconds=0.5) as served:
        asked = await served.ask()
        await asked.head()
        assert KEEP_ALIVE not in await asked.rest()


async def test_a_whole_answer_is_waited_for_in_silence(first: Upstream) -> None:
    first.on("actual", Reply(recorded("text.json").steps, before=(Pause(5 * SOON),)))
    async with serving(first.url, keep_alive_seconds=SOON) as served:
        status, body = await (await served.ask(stream=False)).whole()
        assert (status, body["choices"][0]["message"]["content"]) == (200, TEXT)


async def test_a_failure_after_the_status_becomes_an_error_in_the_stream(first: Upstream) -> None:
    gate = Gate()
    first.on("actual", Reply(says({"error": {"message": "no such luck"}}, 500).steps, 500, before=(gate,)))
    async with serving(first.url, keep_alive_seconds=SOON) as served:
        asked = await served.ask()
        assert (await asked.head())[0] == 200
        assert await asked.piece() == KEEP_ALIVE
        gate.open()
        error = error_of(await asked.rest())
        assert (error["message"], error["code"]) == ("no such luck", "upstream_error")
        (record,) = await served.settled()
        assert (record.status, record.outcome) == (502, "failed")


async def test_the_other_targets_are_still_tried_after_the_status(first: Upstream, second: Upstream) -> None:
    gate = Gate()
    first.on("actual", Reply(before=(gate, CUT)))
    async with serving(first.url, second.url, keep_alive_seconds=SOON) as served:
        asked = await served.ask()
        assert (await asked.head())[0] == 200
        assert await asked.piece() == KEEP_ALIVE
        gate.open()
        assert text_in(chunks_of((await asked.rest()).replace(KEEP_ALIVE, b""))) == TEXT
        records = await served.settled(2)
        assert [(record.attempt, record.outcome) for record in records] == [(1, "failed"), (2, "success")]
        assert [record.endpoint_name for record in records] == ["backend-1", "backend-2"]
        assert served.memory.notes == [(1, False), (2, True)]


async def test_a_timeout_after_the_status_becomes_an_error_in_the_stream(first: Upstream) -> None:
    first.on("actual", Reply(before=(HANG,)))
    async with serving(first.url, keep_alive_seconds=SOON, timeouts=Timeouts(idle=0.1, total=0.1)) as served:
        asked = await served.ask()
        assert (await asked.head())[0] == 200
        assert error_of(await asked.rest())["code"] == "upstream_timeout"
        assert await left(first)


async def test_an_answer_forced_whole_after_the_status_is_a_stream_all_the_same(first: Upstream) -> None:
    gate = Gate()
    first.on("actual", Reply(recorded("text.json").steps, before=(gate,)))
    async with serving(first.url, keep_alive_seconds=SOON, force_non_streaming=True) as served:
        asked = await served.ask()
        assert (await asked.head())[1]["content-type"] == "text/event-stream; charset=utf-8"
        gate.open()
        body = (await asked.rest()).replace(KEEP_ALIVE, b"")
        check_chunks(chunks_of(body), "fast")
        assert text_in(chunks_of(body)) == TEXT


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("keep_alive_seconds", [SOON, 10.0], ids=["after the status", "before the status"])
async def test_a_client_that_leaves_before_the_first_event_ends_the_work(
    stream: bool, keep_alive_seconds: float, first: Upstream, second: Upstream
) -> None:
    gate = Gate()
    first.on("actual", Reply(before=(gate, HANG)))
    async with serving(first.url, second.url, keep_alive_seconds=keep_alive_seconds) as served:
        asked = await served.ask(stream=stream)
        assert await asyncio.to_thread(gate.reached.wait, 5)
        if stream and keep_alive_seconds == SOON:
            await asked.head()
        asked.leave()
        (record,) = await served.settled()
        assert await left(first)
        assert (record.status, record.outcome, record.error_code) == (499, "aborted", "client_closed_request")
        assert (record.usage_source, record.output_tokens, record.stream) == ("partial", 0, stream)
        assert second.seen == []
        assert served.memory.flushed == [1]


async def test_a_client_that_leaves_in_the_middle_ends_the_work(first: Upstream) -> None:
    first.on("actual", streams(*FRAMES[:3], HANG))
    async with serving(first.url) as served:
        asked = await served.ask()
        await asked.head()
        while "Grüße".encode() not in await asked.piece():
            continue
        asked.leave()
        (record,) = await served.settled()
        assert await left(first)
        assert (record.outcome, record.usage_source) == ("aborted", "partial")
        assert record.output_tokens > 0
        assert record.time_to_first_token_ms is not None


async def test_a_client_that_leaves_ends_the_work_on_every_choice() -> None:
    async with serving("demo://", endpoint_type="demo", options={"delay_ms": 200}) as served:
        asked = await served.ask(n=3)
        await asked.head()
        await asked.piece()
        asked.leave()
        records = await served.settled(3)
        assert sorted((record.attempt, record.outcome) for record in records) == [
            (1001, "aborted"), (1002, "aborted"), (1003, "aborted"),
        ]  # fmt: skip


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_client_that_stays_to_the_end_has_not_left(stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "shared"):
        async with serving("demo://", endpoint_type="demo", options={"delay_ms": 0}) as served:
            asked = await served.ask(n=3, stream=stream)
            if stream:
                await asked.head()
                assert (await asked.rest()).endswith(DONE)
            else:
                assert len((await asked.whole())[1]["choices"]) == 3
            await served.settled(3)
    assert [entry.getMessage() for entry in caplog.records] == []


async def test_a_client_that_leaves_while_another_stays_disturbs_nobody(first: Upstream) -> None:
    gate = Gate()
    first.on("actual", streams(*FRAMES[:2], gate, *FRAMES[2:]))
    async with serving(first.url) as served:
        one, other = await served.ask(), await served.ask()
        for asked in (one, other):
            await asked.head()
        one.leave()
        await served.settled()
        gate.open()
        assert text_in(chunks_of(await other.rest())) == TEXT
        assert sorted(record.outcome for record in await served.settled(2)) == ["aborted", "success"]


PIECE = event({"choices": [{"index": 0, "delta": {"content": "x" * 65_536}}]})
END = (event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}), DONE)


async def test_a_slow_reader_slows_the_backend_down(first: Upstream) -> None:
    """64 MiB offered, nothing read: what is on the way is bounded by the sockets, not by the answer."""
    first.on("actual", streams(*([PIECE] * 1_024), *END))
    async with serving(first.url) as served:
        asked = await served.ask()
        await asked.head()
        before = -1
        while before != first.last.written:
            before = first.last.written
            await asyncio.sleep(0.1)
        assert 0 < before < 24 << 20
        asked.leave()
        (record,) = await served.settled()
        assert await left(first)
        assert record.outcome == "aborted"


async def test_a_slow_reader_gets_everything_and_no_heap_of_keep_alives(
    first: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    first.on("actual", streams(*([PIECE] * 256), *END))
    with caplog.at_level(logging.INFO):
        async with serving(first.url, keep_alive_seconds=SOON) as served:
            asked = await served.ask()
            await asked.head()
            await asyncio.sleep(10 * SOON)
            body = await asked.rest()
            assert len(text_in(chunks_of(body))) == 256 * 65_536
            assert body.count(KEEP_ALIVE) <= 3
            (record,) = await served.settled()
            assert record.outcome == "success"
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


async def test_the_last_byte_is_behind_no_keep_alive(first: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    """The end of the answer and a keep-alive wait for the same slow reader."""
    huge = event({"choices": [{"index": 0, "delta": {"content": "x" * (7 << 20)}}]})  # more than the sockets take
    first.on("actual", streams(huge, huge, *END))
    async with serving(first.url, keep_alive_seconds=SOON) as served:
        asked = await served.ask()
        await asyncio.sleep(8 * SOON)
        await asked.head()
        body = await asked.rest()
        assert body.endswith(DONE)
        assert len(text_in(chunks_of(body))) == 14 << 20
    gc.collect()  # a task that failed unheard is told of when it goes
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("reply", "outcome", "status"),
    [
        (recorded("text.sse"), "success", 200),
        (recorded("text.json"), "success", 200),
        (recorded("error_midway.sse"), "truncated", 502),
        (recorded("done_without_finish.sse"), "truncated", 502),
        (streams(FRAMES[1], CUT), "truncated", 502),
        (says({}, 400), "failed", 400),
        (Reply(), "failed", 502),
    ],
    ids=["stream", "whole", "error midway", "no finish", "cut", "refused", "nothing"],
)
async def test_the_ledger_is_settled_once_in_every_ending(
    reply: Reply, outcome: str, status: int, first: Upstream
) -> None:
    first.on("actual", reply)
    async with serving(first.url) as served:
        asked = await served.ask()
        code, headers = await asked.head()
        if "content-length" in headers:
            assert code == status
            await asked.reader.readexactly(int(headers["content-length"]))
        else:
            await asked.rest()
        (record,) = await served.settled()
        assert (record.outcome, record.status) == (outcome, status)
        assert served.memory.flushed == [1]


class Broken:
    """An adapter with a defect of ours, before its first event or behind it."""

    def __init__(self, after: int) -> None:
        self._after = after

    def __getitem__(self, endpoint_type: str) -> Any:
        return self

    async def stream(self, request: ChatRequest, target: Target) -> AsyncGenerator[Batch, None]:
        for _ in range(self._after):
            yield [Frame((TextDelta("x"),))]
        raise ZeroDivisionError("a secret detail")

    def serves_choices(self, request: ChatRequest, target: Target) -> bool:
        return True

    def dropped(self, request: ChatRequest, target: Target) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize("after", [0, 1], ids=["before the first event", "behind it"])
async def test_a_defect_of_ours_is_told_without_its_details(after: int, caplog: pytest.LogCaptureFixture) -> None:
    async with serving("http://backend", adapters=Broken(after)) as served:
        asked = await served.ask()
        if after:
            assert (await asked.head())[0] == 200
            error = error_of(await asked.rest())
        else:
            status, body = await asked.whole()
            assert status == 500
            error = body["error"]
        assert error["code"] == "internal_error"
        assert "secret" not in str(error)
        (record,) = await served.settled()
        assert (record.status, record.outcome) == (500, "truncated" if after else "failed")
        assert record.error_code == "internal_error"
    assert "ZeroDivisionError" in caplog.text
