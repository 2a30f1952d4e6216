"""How answers leave: when, in which bytes, and what happens around their last one."""

from __future__ import annotations

import asyncio
import base64
import gc
import resource
import time
from typing import Any

import pytest

from tests.lambda_runtime.apps import START, body, hello
from tests.lambda_runtime.events import rest_event
from tests.lambda_runtime.fake_api import running


async def test_the_bytes_are_those_of_the_protocol() -> None:
    async with running(hello) as api:
        offer = api.offer(rest_event(), headers={"Lambda-Runtime-Invocation-Id": "inv-7"})
        posted = await api.posted_for(offer)
        prelude = b'{"statusCode":200,"headers":{"content-type":"text/plain"}}' + bytes(8)
        assert bytes(posted.raw) == (
            b"POST /2018-06-01/runtime/invocation/" + offer.request_id.encode() + b"/response HTTP/1.1\r\n"
            b"Host: " + api.address.encode() + b"\r\n"
            b"User-Agent: serverless-proxy-runtime\r\n"
            b"Content-Type: application/vnd.awslambda.http-integration-response\r\n"
            b"Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            b"Transfer-Encoding: chunked\r\n"
            b"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
            b"Lambda-Runtime-Invocation-Id: inv-7\r\n"
            b"\r\n" + b"%x\r\n" % len(prelude) + prelude + b"\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
        )
        await api.idle()
        asked = [posted for posted in api.posted if posted.path.endswith("/next")]
        assert [bytes(each.raw) for each in asked] == [
            b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
            b"Host: " + api.address.encode() + b"\r\n"
            b"User-Agent: serverless-proxy-runtime\r\n\r\n"
        ] * 2


async def test_the_connection_of_next_is_kept_and_each_response_has_its_own() -> None:
    async with running(hello) as api:
        for _ in range(5):
            await api.invoke(rest_event())
        await api.idle()
        assert api.connections == 1 + 5


async def test_the_first_chunk_arrives_before_the_second_is_produced() -> None:
    produced: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(4):
            produced.append(time.monotonic())
            await send(body(b"data: %d\n\n" % number))
            await asyncio.sleep(0.03)
        await send(body(b"", more=False))

    async with running(app) as api:
        posted = await api.invoke(rest_event())
    assert posted.chunks[1:] == [b"data: %d\n\n" % number for number in range(4)]
    arrived = posted.at[1:]
    for number in range(3):
        assert produced[number] <= arrived[number] < produced[number + 1]


async def test_work_after_the_last_byte_comes_before_the_next_invocation_and_after_the_client_has_its_answer() -> None:
    done: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"all", more=False))
        await asyncio.sleep(0.05)
        done.append(time.monotonic())

    async with running(app) as api:
        posted = await api.invoke(rest_event())
        assert not done
        await api.idle()
        assert posted.ended_at < done[0] - 0.04
        assert api.when("next") > done[0]


async def test_a_slow_reader_holds_the_app_back_and_memory_stays_flat() -> None:
    piece, pieces = bytes(200_000), 500
    ahead: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(pieces):
            await send(body(piece))
            if offer.posted is not None:
                ahead.append(number - len(offer.posted.chunks))
                offer.posted.chunks[1:] = [b""] * len(offer.posted.chunks[1:])  # the judge must not hold it either
                offer.posted.raw.clear()
        await send(body(b"", more=False))

    async with running(app) as api:
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        offer = api.offer(rest_event(), pause_seconds=0.0005)
        posted = await api.posted_for(offer)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert posted.complete
    assert len(posted.chunks) == 1 + pieces
    assert max(ahead) < 50  # 10 MB of the 100: what both sockets' buffers on loopback take
    assert grown_kb < 40_000


async def test_a_response_closed_by_its_reader_raises_in_the_app_and_the_loop_goes_on() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        leaving = asyncio.create_task(receive())
        await send(START)
        try:
            while True:
                await send(body(b"more"))
                await asyncio.sleep(0.001)
        except OSError as error:
            seen.append(error)
            seen.append(await leaving)
            raise

    async with running(app) as api:
        for chunks in (1, 2, 3):
            posted = await api.invoke(rest_event(), cut_in_chunk=chunks)
            assert not posted.complete
        await api.idle()
        assert [type(each) for each in seen[::2]] == [ConnectionResetError] * 3
        assert seen[1::2] == [{"type": "http.disconnect"}] * 3


async def test_a_response_that_the_api_refuses_is_given_up() -> None:
    endings: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        try:
            while True:
                await send(body(b"x" * 1_000))
                await asyncio.sleep(0.001)
        except OSError as error:
            endings.append(type(error).__name__)

    async with running(app) as api:
        await api.invoke(rest_event(), refuse=413)
        await api.idle()
    assert endings == ["ConnectionResetError"]


async def test_receive_waits_for_ever_after_the_body_and_leaves_no_task_behind() -> None:
    messages: list[Any] = []
    forgotten: set[asyncio.Task[Any]] = set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        messages.append(await receive())
        watch = asyncio.create_task(receive())
        forgotten.add(watch)
        await send(START)
        await send(body(b"x", more=False))
        await asyncio.sleep(0.02)
        messages.append(watch.done())

    async with running(app) as api:  # checks the tasks
        await api.invoke(rest_event(body="abc"))
        await api.idle()
    assert messages == [{"type": "http.request", "body": b"abc", "more_body": False}, False]
    assert [task.result() for task in forgotten] == [{"type": "http.disconnect"}]


async def test_head_is_answered_with_headers_alone() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [(b"content-length", b"5")]})
        await send(body(b"he"))
        await send(body(b"llo", more=False))

    async with running(app) as api:
        posted = await api.invoke(rest_event("HEAD"))
    assert posted.prelude == {"statusCode": 200, "headers": {"content-length": "5"}}
    assert posted.body == b""
    assert posted.complete


async def test_an_empty_body_is_an_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async with running(app) as api:
        posted = await api.invoke(rest_event(body=None))
    assert posted.complete
    assert posted.payload == b'{"statusCode":204,"headers":{}}' + bytes(8)


async def test_headers_that_occur_once_or_often_and_cookies_have_each_their_place() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [
            (b"Content-Type", b"text/plain"),
            (b"vary", b"origin"),
            (b"Vary", b"accept"),
            (b"set-cookie", b"a=1; Path=/"),
            (b"Set-Cookie", b"b=2"),
            (b"x-latin", "é".encode("latin-1")),
        ]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send(body(b"ok", more=False))

    async with running(app) as api:
        posted = await api.invoke(rest_event())
    assert posted.prelude == {
        "statusCode": 201,
        "headers": {"content-type": "text/plain", "x-latin": "é"},
        "multiValueHeaders": {"vary": ["origin", "accept"]},
        "cookies": ["a=1; Path=/", "b=2"],
    }


async def test_binary_bodies_leave_as_they_are() -> None:
    every_byte = bytes(range(256)) * 300

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(every_byte))
        await send(body(bytes(8) + b"\r\n0\r\n\r\n", more=False))

    async with running(app) as api:
        posted = await api.invoke(rest_event())
    assert posted.body == every_byte + bytes(8) + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_request_of_10_mb_arrives_whole(chunked: bool) -> None:
    sent = bytes(range(256)) * 40_960
    got: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append((await receive())["body"])
        await hello(scope, receive, send)

    async with running(app, chunked_events=chunked) as api:
        event = rest_event(body=base64.b64encode(sent).decode(), isBase64Encoded=True)
        assert (await api.invoke(event)).complete
    assert got == [sent]


async def test_an_answer_of_one_huge_message_arrives_whole() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"y" * 10_000_000, more=False))

    async with running(app) as api:
        posted = await api.invoke(rest_event())
    assert posted.body == b"y" * 10_000_000
