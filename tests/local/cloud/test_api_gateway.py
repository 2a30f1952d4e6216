"""API Gateway's part of the emulated cloud, over a real socket, with functions that a test writes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from infra.local.cloud.api_gateway import ApiGateway
from infra.local.cloud.deployment import Deployment
from infra.local.cloud.invocation import Buffered, Failed, Result, Streamed
from infra.local.cloud.lambda_service import THROTTLED
from infra.local.cloud.limits import Limits
from infra.local.cloud.template import Method
from infra.local.serving import bind, server

Function = Callable[[dict[str, Any]], Awaitable[Result]]

RESPONSES = {
    "MISSING_AUTHENTICATION_TOKEN": {
        "StatusCode": "404",
        "ResponseTemplates": {"application/json": '{"error":{"message":$context.error.messageString}}'},
        "ResponseParameters": {"gatewayresponse.header.x-should-retry": "'false'"},
    },
}
MOCK = {
    "Type": "MOCK",
    "IntegrationResponses": [
        {
            "StatusCode": "405",
            "ResponseParameters": {"method.response.header.Allow": "'POST'"},
            "ResponseTemplates": {"application/json": '{"error":{}}'},
        }
    ],
}


def method(path: str, *, verb: str = "POST", streams: bool = False, **changes: Any) -> Method:
    return Method(path, verb, "F", streams, 5.0, False, {})._replace(**changes)


METHODS = (
    method("/whole"),
    method("/stream", streams=True),
    method("/slow", timeout_seconds=0.2),
    method("/guarded", guarded=True),
    method("/models/{id}", verb="GET"),
    method("/models/latest", verb="GET"),
    method("/files/{path+}", verb="GET"),
    method("/whole", verb="ANY", function=None, integration=MOCK),
)


@asynccontextmanager
async def serving(
    function: Function, *, limits: Limits | None = None, burst: int = 1000
) -> AsyncIterator[httpx.AsyncClient]:
    async def invoke(name: str, event: bytes) -> Result:
        assert name == "F"
        return await function(json.loads(event))

    deployment = Deployment({}, METHODS, RESPONSES, "dev", burst, 1.0, ())
    app = ApiGateway(deployment, invoke, lambda shown: shown == "Bearer good", limits or Limits())
    listener = bind("127.0.0.1", 0, "")
    running = server(app)
    task = asyncio.create_task(running.serve(sockets=[listener]))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}/dev"
    try:
        async with httpx.AsyncClient(base_url=base, timeout=10, trust_env=False) as client:
            yield client
    finally:
        running.should_exit = True
        await task


def whole(status: int = 200, body: str = "", **fields: Any) -> Buffered:
    return Buffered(json.dumps({"statusCode": status, "body": body, **fields}).encode())


async def echo(event: dict[str, Any]) -> Result:
    return whole(body=json.dumps(event), headers={"content-type": "application/json"})


async def streaming(*chunks: bytes, gate: asyncio.Event | None = None, failure: Failed | None = None) -> Streamed:
    stream = Streamed()

    async def produce() -> None:
        for number, chunk in enumerate(chunks):
            if number and gate is not None:
                await gate.wait()
            await stream.put(chunk)
        await stream.end(failure)

    stream.producer = asyncio.create_task(produce())  # type: ignore[attr-defined]
    return stream


HEAD = b'{"statusCode":201,"headers":{"content-type":"text/event-stream"},"cookies":["a=1","b=2"]}' + bytes(8)


async def test_the_event_is_that_of_a_proxy_integration() -> None:
    async with serving(echo) as client:
        told = (await client.post("/whole?a=1&a=2&b=", content="schön", headers={"x-one": "1"})).json()
    assert (told["resource"], told["path"], told["httpMethod"]) == ("/whole", "/whole", "POST")
    assert told["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
    assert told["queryStringParameters"] == {"a": "2", "b": ""}
    assert (told["body"], told["isBase64Encoded"]) == ("schön", False)
    assert told["headers"]["x-one"] == "1"
    assert told["multiValueHeaders"]["x-forwarded-for"] == ["127.0.0.1"]
    context = told["requestContext"]
    assert (context["path"], context["stage"], context["identity"]["sourceIp"]) == ("/dev/whole", "dev", "127.0.0.1")


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/models/latest", "/models/latest", None),
        ("/models/other", "/models/{id}", {"id": "other"}),
        ("/models/a%2Fb", "/models/{id}", {"id": "a/b"}),
        ("/files/a/b/c.txt", "/files/{path+}", {"path": "a/b/c.txt"}),
    ],
)
async def test_a_path_finds_its_resource(path: str, resource: str, parameters: dict[str, str] | None) -> None:
    async with serving(echo) as client:
        told = (await client.get(path)).json()
    assert (told["resource"], told["pathParameters"], told["path"]) == (resource, parameters, path)


async def test_what_is_not_there_is_answered_by_the_template() -> None:
    async with serving(echo) as client:
        for answer in (await client.get("/nothing"), await client.post("/models/x"), await client.get("/models/x/y")):
            assert answer.status_code == 404
            assert answer.json() == {"error": {"message": "Missing Authentication Token"}}
            assert answer.headers["x-should-retry"] == "false"
        other_stage = await client.get(str(client.base_url).replace("/dev", "/prod") + "whole")
        assert other_stage.status_code == 403
        mocked = await client.delete("/whole")
        assert (mocked.status_code, mocked.headers["allow"], mocked.json()) == (405, "POST", {"error": {}})


async def test_a_guarded_method_wants_its_token() -> None:
    async with serving(echo) as client:
        assert (await client.post("/guarded")).status_code == 401
        assert (await client.post("/guarded", headers={"authorization": "Bearer bad"})).status_code == 401
        assert (await client.post("/guarded", headers={"authorization": "Bearer good"})).status_code == 200


async def test_more_than_the_burst_is_refused() -> None:
    async with serving(echo, burst=3) as client:
        statuses = [(await client.post("/whole")).status_code for _ in range(5)]
    assert statuses[:3] == [200] * 3
    assert 429 in statuses[3:]


async def test_requests_have_two_limits() -> None:
    """API Gateway's for the body, and Lambda's for the event, in which quotes are escaped."""
    limits = Limits(request_bytes=4_000, event_bytes=3_000)
    async with serving(echo, limits=limits) as client:
        assert (await client.post("/whole", content="x" * 500)).status_code == 200
        assert (await client.post("/whole", content='"' * 1_400)).status_code == 413
        assert (await client.post("/whole", content="x" * 4_001)).status_code == 413


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Failed("Runtime.ExitError", "gone"), 502),
        (Failed(THROTTLED, "Rate Exceeded."), 429),
        (Buffered(b"not json"), 502),
        (Buffered(b'{"body":"no status"}'), 502),
        (Buffered(b'{"statusCode":200,"odd":1}'), 502),
        (Buffered(b'{"statusCode":200,"body":"???","isBase64Encoded":true}'), 502),
        (whole(204), 204),
        (Buffered(b'{"statusCode":200,"body":"aGk=","isBase64Encoded":true}'), 200),
    ],
)
async def test_a_buffered_answer_is_what_it_should_be(result: Result, status: int) -> None:
    async def function(event: dict[str, Any]) -> Result:
        return result

    async with serving(function) as client:
        answer = await client.post("/whole")
    assert answer.status_code == status
    assert status != 200 or answer.text == "hi"


async def test_headers_that_are_not_the_functions_to_set_are_renamed() -> None:
    async def function(event: dict[str, Any]) -> Result:
        headers = {"WWW-Authenticate": "Bearer", "Date": "never", "content-length": "7"}
        return whole(401, "no", headers=headers, multiValueHeaders={"x-two": ["1", "2"]})

    async with serving(function) as client:
        answer = await client.post("/whole")
    assert answer.headers["x-amzn-remapped-www-authenticate"] == "Bearer"
    assert answer.headers["x-amzn-remapped-date"] == "never"
    assert answer.headers["content-length"] == "2"
    assert answer.headers.get_list("x-two") == ["1", "2"]


async def test_a_function_that_takes_too_long_is_not_waited_for() -> None:
    ended = asyncio.Event()

    async def function(event: dict[str, Any]) -> Result:
        await asyncio.sleep(0.5)
        ended.set()
        return whole()

    async with serving(function) as client:
        assert (await client.post("/slow")).status_code == 504
        assert not ended.is_set()
        await asyncio.wait_for(ended.wait(), 2)  # it goes on, and is paid for


async def test_a_prelude_is_found_wherever_it_is_cut() -> None:
    wire = HEAD + b"data"

    async def function(event: dict[str, Any]) -> Result:
        cut = int(event["queryStringParameters"]["cut"])
        return await streaming(wire[:cut], wire[cut:])

    async with serving(function) as client:
        for cut in range(1, len(HEAD) + 2):
            answer = await client.post("/stream", params={"cut": cut})
            assert (answer.status_code, answer.content) == (201, b"data"), cut
            assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"], cut


async def test_the_first_chunk_is_there_before_the_second_is_made() -> None:
    gate = asyncio.Event()

    async def function(event: dict[str, Any]) -> Result:
        return await streaming(HEAD + b"one", b"two", gate=gate)

    async with serving(function) as client, client.stream("POST", "/stream") as response:
        chunks = response.aiter_raw()
        assert await asyncio.wait_for(anext(chunks), 2) == b"one"
        gate.set()
        assert await anext(chunks) == b"two"


@pytest.mark.parametrize(
    "wire", [b'{"statusCode":200,"body":"plain"}' + bytes(8), b"[]" + bytes(8), b"x" * 20_000, b'{"statusCode":200}']
)
async def test_a_prelude_that_is_none_is_an_error(wire: bytes) -> None:
    async def function(event: dict[str, Any]) -> Result:
        return await streaming(wire)

    async with serving(function) as client:
        assert (await client.post("/stream")).status_code >= 500


async def test_a_plain_answer_does_not_fit_a_streaming_integration() -> None:
    async with serving(echo) as client:
        assert (await client.post("/stream")).status_code == 502


async def test_a_stream_that_falls_silent_is_cut() -> None:
    """The function is not told, and goes on to its end."""
    gate, streams = asyncio.Event(), []

    async def function(event: dict[str, Any]) -> Result:
        streams.append(await streaming(HEAD + b"one", *[b"more"] * 100, gate=gate))
        return streams[0]

    async with serving(function, limits=Limits(idle_seconds=0.2)) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/stream")
        gate.set()
        await asyncio.wait_for(streams[0].producer, 2)


async def test_a_client_that_leaves_is_not_told_to_the_function() -> None:
    gate, streams = asyncio.Event(), []

    async def function(event: dict[str, Any]) -> Result:
        streams.append(await streaming(HEAD + b"one", *[b"more"] * 100, gate=gate))
        return streams[0]

    async with serving(function) as client:
        async with client.stream("POST", "/stream") as response:
            await anext(response.aiter_raw())
        gate.set()
        await asyncio.wait_for(streams[0].producer, 2)  # it could put all of it


async def test_beyond_its_free_bytes_a_stream_keeps_a_pace() -> None:
    async def function(event: dict[str, Any]) -> Result:
        return await streaming(HEAD, *[b"x" * 1_000] * 10)

    limits = Limits(free_bytes=2_000, bytes_a_second=16_000)
    loop = asyncio.get_running_loop()
    async with serving(function, limits=limits) as client:
        begun = loop.time()
        assert len((await client.post("/stream")).content) == 10_000
        assert loop.time() - begun >= 0.45  # 8,000 bytes at 16,000 a second
