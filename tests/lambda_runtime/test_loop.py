"""The loop itself: a Runtime API that trickles or breaks off, several invocations at once, tracing, snapshots."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from shared.lambda_runtime.http1 import Malformed, read_answer
from shared.lambda_runtime.loop import run
from shared.lambda_runtime.runtime_api import RuntimeApiGone
from tests.lambda_runtime.apps import START, body, hello
from tests.lambda_runtime.events import rest_event
from tests.lambda_runtime.fake_api import running, runtime_api


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(body((await receive())["body"], more=False))


@pytest.mark.parametrize("chunked", [False, True])
async def test_answers_that_come_byte_by_byte_are_read_whole(chunked: bool) -> None:
    async with running(echo, one_byte=True, chunked_events=chunked) as api:
        for text in ("first", "", "third é"):
            assert (await api.invoke(rest_event(body=text))).body == text.encode()


async def test_an_answer_to_next_that_breaks_off_at_any_byte_is_asked_for_again() -> None:
    small = {"httpMethod": "POST", "path": "/", "requestContext": {}, "body": "measured"}
    async with running(echo) as api:
        for cut_at in range(api.answer_length(api.offer(small))):
            assert (await api.invoke(small, cut_at=cut_at)).body == b"measured"


@pytest.mark.parametrize("one_byte", [False, True])
async def test_a_response_cut_at_any_chunk_is_given_up_and_the_next_is_served(one_byte: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(5):
            await send(body(b"%d" % number))
            await asyncio.sleep(0.001)
        await send(body(b"", more=False))

    async with running(app, one_byte=one_byte) as api:
        for chunks in range(1, 7):
            cut = await api.invoke(rest_event(), cut_in_chunk=chunks)
            assert (cut.complete, len(cut.chunks)) == (False, chunks)
            assert (await api.invoke(rest_event())).body == b"01234"


async def test_the_runtime_ends_when_the_api_breaks_off_thrice() -> None:
    served = 0

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(RuntimeApiGone):
            await run(f"{host}:{port}", hello)
    assert served == 3


async def test_several_invocations_are_served_at_once_and_each_gets_its_own_answer() -> None:
    together = asyncio.Barrier(3)
    traces: list[str | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await together.wait()
        traces.append(os.environ.get("_X_AMZN_TRACE_ID"))
        await echo(scope, receive, send)

    async with running(app, pollers=3) as api:
        offers = [api.offer(rest_event(body=str(number)), headers=trace(f"Root={number}")) for number in range(9)]
        bodies = [(await api.posted_for(offer)).body for offer in offers]
        assert bodies == [str(number).encode() for number in range(9)]
        await api.idle()
    assert set(traces) == {None}  # one environment cannot name three traces


def trace(value: str) -> dict[str, str]:
    return {"Lambda-Runtime-Trace-Id": value}


async def test_the_invocations_trace_is_where_the_x_ray_sdk_looks_for_it() -> None:
    seen: list[str | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(os.environ.get("_X_AMZN_TRACE_ID"))
        await echo(scope, receive, send)

    async with running(app) as api:
        await api.invoke(rest_event(), headers=trace("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"))
        await api.invoke(rest_event())
    assert seen == ["Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1", None]


async def test_a_snapshot_is_taken_before_the_first_invocation_is_asked_for() -> None:
    async with running(echo, snap_start=True) as api:
        await api.invoke(rest_event())
        paths = [posted.path.removeprefix("/2018-06-01/runtime/") for posted in api.posted]
    assert paths[:2] == ["restore/next", "invocation/next"]
    assert api.posted[0].method == "GET"


async def test_no_snapshot_is_waited_for_otherwise() -> None:
    async with running(echo) as api:
        await api.invoke(rest_event())
        assert not any("restore" in posted.path for posted in api.posted)


async def test_a_loop_stopped_in_the_middle_of_a_response_leaves_it_unfinished() -> None:
    undone: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"half"))
        try:
            await asyncio.sleep(60)
        finally:
            undone.append("closed")

    async with runtime_api() as api:
        loop = asyncio.create_task(run(api.address, app))
        offer = api.offer(rest_event())
        await offer.arrived.wait()
        assert offer.posted is not None
        while len(offer.posted.chunks) < 2:
            await asyncio.sleep(0.001)
        loop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loop
        posted = await api.posted_for(offer)
        assert (posted.complete, posted.body, undone) == (False, b"half", ["closed"])


MALFORMED = {
    "no status line": b"HELLO\r\n\r\n",
    "another protocol": b"ICY 200 OK\r\n\r\n",
    "status that is no number": b"HTTP/1.1 OK 200\r\n\r\n",
    "header without a colon": b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
    "length beyond all events": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    "chunk beyond all events": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
    "chunk without a size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
    "chunk longer than its size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    "headers without an end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_not_http_is_refused(name: str) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(MALFORMED[name])
    reader.feed_eof()
    with pytest.raises(Malformed):
        await read_answer(reader)


async def test_an_answer_without_a_length_lasts_to_the_end_of_its_connection() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"HTTP/1.1 202 Accepted\r\n\r\nsome")
    reader.feed_data(b"thing")
    reader.feed_eof()
    assert await read_answer(reader) == (202, {}, b"something")
