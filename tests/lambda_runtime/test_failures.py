"""What the client and the platform are told when an app, an event or the time fails."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

import pytest

from shared.errors import NoEndpointEnabled
from shared.lambda_runtime.failure import function_failure
from shared.lambda_runtime.loop import run
from shared.lambda_runtime.runtime_api import RuntimeApiGone
from shared.web.extensions import FAILURE
from tests.lambda_runtime.apps import START, body, hello
from tests.lambda_runtime.events import rest_event
from tests.lambda_runtime.fake_api import running

SECRET = "the prompt of somebody"


async def before_the_start(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError(SECRET)


async def between_start_and_first_byte(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"x-lost", b"1")]})
    raise ValueError(SECRET)


async def without_an_answer(scope: Any, receive: Any, send: Any) -> None:
    await receive()


async def with_headers_beyond_what_api_gateway_reads(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "headers": [(b"x-large", b"x" * 17_000)]})


@pytest.mark.parametrize(
    "app",
    [before_the_start, between_start_and_first_byte, without_an_answer, with_headers_beyond_what_api_gateway_reads],
)
async def test_a_failure_before_the_first_byte_is_a_whole_500_in_openais_shape(app: Any) -> None:
    async with running(app) as api:
        posted = await api.invoke(rest_event())
        assert posted.complete
        assert posted.trailers == {}
        assert posted.prelude["statusCode"] == 500
        assert posted.prelude["headers"]["content-type"] == "application/json"
        error = json.loads(posted.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["code"] == "internal_error"
        assert SECRET.encode() not in posted.raw


async def test_a_gateway_error_before_the_first_byte_keeps_its_status() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise NoEndpointEnabled("no endpoint is enabled")

    async with running(app) as api:
        posted = await api.invoke(rest_event())
    assert posted.prelude["statusCode"] == 503
    assert json.loads(posted.body)["error"]["code"] == "endpoint_disabled"


async def test_a_failure_after_the_first_byte_is_told_in_the_trailers_behind_what_the_app_wrote() -> None:
    class Http2Trouble(Exception):
        pass

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b'data: {"error":"it broke off"}\n\n'))
        raise Http2Trouble(SECRET)

    async with running(app) as api:
        posted = await api.invoke(rest_event())
        assert posted.body == b'data: {"error":"it broke off"}\n\n'
        assert posted.complete
        assert posted.trailers["lambda-runtime-function-error-type"] == "Function.HttpTrouble"
        assert posted.error == {
            "errorMessage": "the answer broke off; the log names why",
            "errorType": "Function.HttpTrouble",
            "stackTrace": [],
        }
        assert SECRET not in str(posted.error)
        assert bytes(posted.raw).endswith(
            b"0\r\nLambda-Runtime-Function-Error-Type: Function.HttpTrouble\r\n"
            b"Lambda-Runtime-Function-Error-Body: "
            + posted.trailers["lambda-runtime-function-error-body"].encode()
            + b"\r\n\r\n"
        )
        assert (await api.invoke(rest_event())).complete


async def test_an_app_may_tell_of_a_failure_that_it_has_shown_the_client_itself() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert FAILURE in scope["extensions"]
        await send(START)
        await send(body(b"data: {}\n\n"))
        await send({"type": FAILURE, "error_type": "UpstreamCut", "message": "ünfinished"})

    async with running(app) as api:
        posted = await api.invoke(rest_event())
    assert posted.body == b"data: {}\n\n"
    assert posted.trailers["lambda-runtime-function-error-type"] == "Function.UpstreamCut"
    assert posted.error["errorMessage"] == "ünfinished"


async def test_an_answer_left_incomplete_is_a_failure() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"half"))

    async with running(app) as api:
        posted = await api.invoke(rest_event())
    assert posted.trailers["lambda-runtime-function-error-type"] == "Function.AnswerIncomplete"


async def test_a_failure_after_the_last_byte_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        raise ValueError("the ledger is away")

    async with running(app) as api:
        for _ in range(2):
            posted = await api.invoke(rest_event())
            assert posted.complete
            assert posted.trailers == {}
            await api.idle()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["the app failed"] * 2


async def test_messages_out_of_turn_are_refused() -> None:
    caught: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def wrong(message: Any) -> None:
            with pytest.raises(RuntimeError) as info:
                await send(message)
            caught.append(str(info.value))

        await wrong(body(b"before the start"))
        await wrong({"type": FAILURE, "error_type": "Early", "message": ""})
        await send(START)
        await wrong(START)
        await wrong({"type": "http.response.trailers"})
        await send(body(b"all", more=False))
        await wrong(body(b"behind the end"))

    async with running(app) as api:
        assert (await api.invoke(rest_event())).body == b"all"
    assert len(caught) == 5


@pytest.mark.parametrize("kind", ["ValueError", "_Private", "HTTP2Error", "lowerCase", "", "Ärger9", "日本"])
def test_every_error_type_is_one_that_lambda_takes(kind: str) -> None:
    assert re.fullmatch(r"(Runtime|Function)\.[A-Z][a-zA-Z]+", function_failure(kind, "").type)


@pytest.mark.parametrize(
    "event",
    [
        {"invokeCompletionStatus": "SUCCESS", "requestId": "1"},
        {"source": "aws.events", "detail-type": "Scheduled Event"},
        {"requestContext": {"connectionId": "websocket", "routeKey": "$connect"}},
        {"requestContext": None, "httpMethod": "GET"},
        {},
        [],
        None,
        "warm",
        7,
    ],
)
async def test_an_event_that_is_no_request_is_acknowledged_with_null(event: Any) -> None:
    async with running(before_the_start) as api:
        offer = api.offer(event, headers={"Lambda-Runtime-Invocation-Id": "inv-9"})
        posted = await api.posted_for(offer)
        assert bytes(posted.raw) == (
            b"POST /2018-06-01/runtime/invocation/" + offer.request_id.encode() + b"/response HTTP/1.1\r\n"
            b"Host: " + api.address.encode() + b"\r\n"
            b"User-Agent: serverless-proxy-runtime\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: 4\r\n"
            b"Lambda-Runtime-Invocation-Id: inv-9\r\n"
            b"\r\nnull"
        )


@pytest.mark.parametrize(
    "event",
    [
        b"{",
        b"\xff",
        {"httpMethod": "POST", "requestContext": {}},
        rest_event(body="abcde", isBase64Encoded=True),
        rest_event(headers={"Host": "a:b:c"}),
        rest_event(pathParameters={"id": 7}),
        {**rest_event(), "headers": [], "multiValueHeaders": "x"},
    ],
)
async def test_an_event_that_cannot_be_read_is_reported_and_the_loop_goes_on(event: Any) -> None:
    async with running(hello) as api:
        offer = api.offer(event)
        posted = await api.posted_for(offer)
        assert posted.path == f"/2018-06-01/runtime/invocation/{offer.request_id}/error"
        assert posted.headers["lambda-runtime-function-error-type"] == "Runtime.UnmarshalError"
        assert json.loads(posted.payload)["errorType"] == "Runtime.UnmarshalError"
        assert (await api.invoke(rest_event())).body == b"hello"


async def test_an_app_that_does_not_heed_the_deadline_is_cancelled_before_it_and_the_client_told() -> None:
    cancelled: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["query_string"]:
            await send(START)
            await send(body(b"half"))
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append("yes")

    async with running(app, pollers=2) as api:
        offers = [api.offer(rest_event(queryStringParameters=query), seconds=1.5) for query in (None, {"a": "b"})]
        whole, half = [await api.posted_for(offer) for offer in offers]
        assert whole.prelude["statusCode"] == 504
        assert json.loads(whole.body)["error"]["type"] == "timeout_error"
        assert half.trailers["lambda-runtime-function-error-type"] == "Function.UpstreamTimedOut"
        assert half.body == b"half"
        await api.idle()
    assert cancelled == ["yes", "yes"]


async def test_work_after_the_last_byte_is_cancelled_at_the_deadline_too() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await asyncio.sleep(60)

    async with running(app) as api:
        posted = await api.invoke(rest_event(), seconds=0.3)
        assert posted.complete
        await api.idle()


async def test_a_reader_that_stops_reading_does_not_hold_the_loop_beyond_the_deadline() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        while True:
            await send(body(b"z" * 100_000))

    async with running(app) as api:
        api.offer(rest_event(), seconds=0.4, pause_seconds=0.2)
        second = api.offer(rest_event("GET"), cut_in_chunk=2)
        async with asyncio.timeout(3):
            await second.arrived.wait()


async def test_an_api_that_answers_next_with_an_error_ends_the_runtime() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Container error\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(RuntimeApiGone, match="500"):
            await run(f"{host}:{port}", hello)
    with pytest.raises(RuntimeApiGone):
        await run(f"{host}:{port}", hello)
