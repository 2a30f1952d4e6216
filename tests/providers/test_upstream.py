"""The upstream client against real servers on loopback that are scripted to the byte."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ipaddress
import socket
import ssl
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.errors import (
    InvalidRequest,
    UpstreamCut,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamTimedOut,
    UpstreamUnreachable,
)
from shared.providers.base import Timeouts
from shared.providers.upstream import PooledUpstream

PATIENCE_SECONDS = 5.0
SECRET = "s3cret"
LARGE = b"x" * 5_000_000


class Wire:
    """One accepted connection, as a script sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """The next request, head and body; nothing when the client has left."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
        return head + await self._reader.readexactly(length)

    async def send(self, text: bytes) -> None:
        self._writer.write(text)
        await self._writer.drain()

    async def left(self) -> bool:
        """Wait until the client has closed."""
        try:
            return await self._reader.read() == b""
        except ConnectionError:
            return True

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self._writer.start_tls(context)


class Server:
    """Counts its connections and keeps what was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.failures: list[BaseException] = []

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"


Script = Callable[[Wire], Awaitable[None]]


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server that plays the script for every connection; a script that fails, fails the test."""
    state = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        try:
            await script(Wire(reader, writer))
        except AssertionError as failure:
            state.failures.append(failure)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(play(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not state.failures


@pytest.fixture
async def upstream() -> AsyncIterator[PooledUpstream]:
    client = PooledUpstream()
    try:
        yield client
    finally:
        await client.aclose()


def answering(*answers: bytes) -> Script:
    """Each request on a connection gets the next answer (the last one from then on)."""

    async def script(wire: Wire) -> None:
        left = list(answers)
        while await wire.request():
            await wire.send(left.pop(0) if len(left) > 1 else left[0])

    return script


def closing_after(answer: bytes) -> Script:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(answer)

    return script


def whole(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 " + status + b"\r\n" + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def fetch(upstream: PooledUpstream, url: str, timeouts: Timeouts = Timeouts()) -> bytes:
    async with upstream.request("POST", url, headers={}, body=b"{}", timeouts=timeouts) as response:
        return await response.read()


# what is sent


async def test_sends_what_it_was_given_and_little_else(upstream: PooledUpstream) -> None:
    seen: list[bytes] = []

    async def script(wire: Wire) -> None:
        while request := await wire.request():
            seen.append(request)
            await wire.send(whole(b""))

    headers = {"Authorization": "Bearer k"}
    async with serving(script) as server:
        async with upstream.request("POST", server.url("/v1/a b?q=%20ü"), headers=headers, body=b"body"):
            pass
        await asyncio.sleep(0)
        assert seen == [
            b"POST /v1/a%20b?q=%20%C3%BC HTTP/1.1\r\n"
            + f"host: 127.0.0.1:{server.port}\r\n".encode()
            + b"accept: */*\r\naccept-encoding: identity\r\nuser-agent: serverless-proxy\r\n"
            + b"authorization: Bearer k\r\ncontent-length: 4\r\n\r\nbody"
        ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "b\r\nx-injected: 1"),
        ("x-a", "b\nc"),
        ("x-a", "b\rc"),
        ("x-a", "\0"),
        ("x a", "b"),
        ("x\r\na", "b"),
        ("", "b"),
    ],
)
async def test_refuses_headers_that_break_out_of_their_line(upstream: PooledUpstream, name: str, value: str) -> None:
    async with serving(answering(whole(b""))) as server:
        with pytest.raises(InvalidRequest):
            async with upstream.request("GET", server.url(), headers={name: value}):
                pass
        assert server.connections == 0


async def test_the_caller_cannot_change_the_framing(upstream: PooledUpstream) -> None:
    seen: list[bytes] = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.request())
        await wire.send(whole(b"ok"))

    headers = {"Content-Length": "999", "Transfer-Encoding": "chunked", "Connection": "close"}
    async with (
        serving(script) as server,
        upstream.request("POST", server.url(), headers=headers, body=b"1") as response,
    ):
        assert await response.read() == b"ok"
    assert seen[0].count(b"content-length") == 1
    assert b"chunked" not in seen[0]


async def test_a_large_body_arrives_whole(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        request = await wire.request()
        await wire.send(whole(b"%d" % len(request.partition(b"\r\n\r\n")[2])))

    async with serving(script) as server, upstream.request("POST", server.url(), headers={}, body=LARGE) as response:
        assert await response.read() == b"%d" % len(LARGE)


async def test_the_users_name_in_the_url_becomes_an_authorization_header(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        assert b"authorization: Basic dTpwQA==\r\n" in await wire.request()
        await wire.send(whole(b"ok"))

    async with serving(script) as server:
        assert await fetch(upstream, f"http://u:p%40@127.0.0.1:{server.port}/") == b"ok"


# what comes back


async def test_a_chunk_is_readable_before_the_next_is_sent(upstream: PooledUpstream) -> None:
    read = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(CHUNKED + b"3\r\none\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await read.wait()
        await wire.send(b"3\r\ntwo\r\n0\r\n\r\n")

    async with serving(script) as server, upstream.request("GET", server.url(), headers={}) as response:
        got = []
        async for chunk in response.chunks():
            got.append(chunk)
            read.set()
    assert got == [b"one", b"two"]


async def test_header_names_are_lower_case_and_repeated_ones_joined(upstream: PooledUpstream) -> None:
    answer = whole(b"", b"X-Request-ID: Abc", b"Vary: a", b"VARY: b", status=b"418 Teapot")
    async with serving(answering(answer)) as server, upstream.request("GET", server.url(), headers={}) as response:
        assert response.status == 418
        assert response.headers == {"x-request-id": "Abc", "vary": "a, b", "content-length": "0"}


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (whole(b"<html>no</html>", b"Content-Type: text/html", status=b"502 Bad Gateway"), b"<html>no</html>"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (whole(b""), b""),
        (CHUNKED + b"0\r\n\r\n", b""),
        (CHUNKED + b"2;a=b\r\nab\r\n0\r\nX-Trailer: 1\r\n\r\n", b"ab"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + whole(b"late"), b"late"),
        (whole(gzip.compress(b"packed"), b"Content-Encoding: gzip"), b"packed"),
        (whole(gzip.compress(b"two") + gzip.compress(b"parts"), b"Content-Encoding: x-gzip"), b"twoparts"),
        (whole(zlib.compress(b"packed"), b"Content-Encoding: deflate"), b"packed"),
        (whole(zlib.compress(b"bare")[2:-4], b"Content-Encoding: deflate"), b"bare"),
        (whole(gzip.compress(b"0" * 5_000_000), b"Content-Encoding: gzip"), b"0" * 5_000_000),
    ],
    ids="html 204 empty empty-chunked trailer 1xx gzip members deflate bare-deflate large-gzip".split(),
)
async def test_reads_every_kind_of_body_and_keeps_the_connection(
    upstream: PooledUpstream, answer: bytes, body: bytes
) -> None:
    async with serving(answering(answer)) as server:
        for _ in range(2):
            async with upstream.request("GET", server.url(), headers={}) as response:
                assert await response.read() == body
                assert "link" not in response.headers
        assert server.connections == 1


async def test_an_answer_cut_at_every_byte_is_read_alike(upstream: PooledUpstream) -> None:
    answer = CHUNKED + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"

    async def script(wire: Wire) -> None:
        while await wire.request():
            for position in range(len(answer)):
                await wire.send(answer[position : position + 1])
                await asyncio.sleep(0)

    async with serving(script) as server:
        assert await fetch(upstream, server.url()) == b"onetwo"


async def test_a_body_without_length_ends_with_its_connection(upstream: PooledUpstream) -> None:
    async with serving(closing_after(b"HTTP/1.0 200 OK\r\n\r\nto the end")) as server:
        assert await fetch(upstream, server.url()) == b"to the end"
        assert await fetch(upstream, server.url()) == b"to the end"
        assert server.connections == 2


async def test_a_compressed_stream_comes_as_it_is_flushed(upstream: PooledUpstream) -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"one") + packer.flush(zlib.Z_SYNC_FLUSH)
    read = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
        await wire.send(head + first)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await read.wait()
        await wire.send(packer.compress(b"two") + packer.flush())

    async with serving(script) as server, upstream.request("GET", server.url(), headers={}) as response:
        got = b""
        async for chunk in response.chunks():
            got += chunk
            read.set()
    assert got == b"onetwo"


async def test_a_slow_reader_slows_the_backend_and_loses_nothing(upstream: PooledUpstream) -> None:
    sent = 0

    async def script(wire: Wire) -> None:
        nonlocal sent
        await wire.request()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n")
        for _ in range(400):
            await wire.send(b"x" * 100_000)
            sent += 100_000

    async with serving(script) as server, upstream.request("GET", server.url(), headers={}) as response:
        chunks = response.chunks()
        size = len(await anext(chunks))
        await asyncio.sleep(0.1)
        assert sent < 30_000_000
        async for chunk in chunks:
            size += len(chunk)
    assert size == 40_000_000


async def test_redirects_are_returned_and_cookies_forgotten(upstream: PooledUpstream) -> None:
    seen: list[bytes] = []

    async def script(wire: Wire) -> None:
        while request := await wire.request():
            seen.append(request)
            await wire.send(whole(b"", b"Location: /else", b"Set-Cookie: a=b", status=b"307 Temporary Redirect"))

    async with serving(script) as server:
        for _ in range(2):
            async with upstream.request("GET", server.url("/here"), headers={}) as response:
                assert response.status == 307
                assert response.headers["location"] == "/else"
    assert len(seen) == 2
    assert all(request.startswith(b"GET /here ") and b"cookie" not in request for request in seen)


# what goes wrong


async def failure_of(upstream: PooledUpstream, url: str, timeouts: Timeouts = Timeouts()) -> UpstreamFailure:
    with pytest.raises(UpstreamFailure) as caught:
        await fetch(upstream, url, timeouts)
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_refused_connection_names_the_place_and_nothing_secret(upstream: PooledUpstream, host: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        failure = await failure_of(upstream, f"http://user:{SECRET}@{host}:{port}/?key={SECRET}")
    assert type(failure) is UpstreamUnreachable
    assert str(failure) == f"no connection to {host}:{port}: connection refused"


async def test_an_unknown_host_is_named(upstream: PooledUpstream) -> None:
    failure = await failure_of(upstream, f"https://nowhere.invalid/?key={SECRET}")
    assert type(failure) is UpstreamUnreachable
    assert "nowhere.invalid:443" in str(failure)


@pytest.mark.parametrize(
    "url",
    [f"ftp://h:21/{SECRET}", f"{SECRET}", f"http:///{SECRET}", f"http://[::1/{SECRET}", f"http://h:99999/{SECRET}"],
)
async def test_what_is_no_url_is_unreachable(upstream: PooledUpstream, url: str) -> None:
    assert type(await failure_of(upstream, url)) is UpstreamUnreachable


async def test_a_connection_that_is_not_accepted_in_time_is_unreachable(upstream: PooledUpstream) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # the queue takes one; the kernel drops what comes after it
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        url = "http://{}:{}/".format(*full.getsockname())
        failure = await failure_of(upstream, url, Timeouts(connect=0.1))
    assert type(failure) is UpstreamUnreachable
    assert str(failure).endswith("in time")


@pytest.mark.parametrize(
    ("timeouts", "words"), [(Timeouts(idle=0.1), "did not answer"), (Timeouts(total=0.1), "did not finish")]
)
async def test_no_answer_in_time(upstream: PooledUpstream, timeouts: Timeouts, words: str) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await wire.left()

    async with serving(script) as server:
        failure = await failure_of(upstream, server.url(f"/?key={SECRET}"), timeouts)
        assert type(failure) is UpstreamTimedOut
        assert f"127.0.0.1:{server.port} {words}" in str(failure)


async def test_silence_in_the_middle_of_a_body(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(CHUNKED)
        for _ in range(4):  # longer than the idle time altogether
            await wire.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.06)
        await wire.left()

    timeouts = Timeouts(idle=0.15)
    async with (
        serving(script) as server,
        upstream.request("GET", server.url(), headers={}, timeouts=timeouts) as response,
    ):
        chunks = response.chunks()
        assert [await anext(chunks) for _ in range(4)] == [b"x"] * 4
        with pytest.raises(UpstreamTimedOut, match="fell silent"):
            await anext(chunks)


async def test_the_total_time_bounds_a_stream_that_never_ends(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(CHUNKED)
        while True:
            await wire.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.02)

    async with serving(script) as server:
        failure = await failure_of(upstream, server.url(), Timeouts(total=0.15))
        assert type(failure) is UpstreamTimedOut


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", UpstreamCut),
        (CHUNKED + b"3\r\none\r\n", UpstreamCut),
        (CHUNKED + b"f\r\none", UpstreamCut),
        (b"", UpstreamCut),
        (b"HTTP/1.1 200 OK\r\nConte", UpstreamCut),
        (whole(gzip.compress(b"packed" * 50)[:-12], b"Content-Encoding: gzip"), UpstreamCut),
        (whole(b"not packed", b"Content-Encoding: gzip"), UpstreamMalformed),
        (whole(b"?", b"Content-Encoding: br"), UpstreamMalformed),
        (b"SSH-2.0-OpenSSH_9\r\n", UpstreamMalformed),
        (CHUNKED + b"zz\r\n", UpstreamMalformed),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", UpstreamMalformed),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", UpstreamMalformed),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200_000 + b"\r\n", UpstreamMalformed),
    ],
    ids=(
        "short cut-chunks cut-chunk nothing cut-head cut-gzip no-gzip brotli ssh bad-chunk smuggling one-large-header "
        "many-headers"
    ).split(),
)
async def test_a_broken_answer(upstream: PooledUpstream, answer: bytes, kind: type[UpstreamFailure]) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        try:
            await wire.send(answer)
        except ConnectionError:  # refused half way, as it should be
            return

    async with serving(script) as server:
        failure = await failure_of(upstream, server.url(f"/?key={SECRET}"))
        assert type(failure) is kind
        assert f"127.0.0.1:{server.port}" in str(failure)
        assert server.connections == 1


@pytest.mark.parametrize("answer", [whole(b"12345"), whole(gzip.compress(b"1" * 900_000), b"Content-Encoding: gzip")])
async def test_a_body_beyond_the_limit_is_refused(upstream: PooledUpstream, answer: bytes) -> None:
    async with serving(answering(answer)) as server, upstream.request("GET", server.url(), headers={}) as response:
        with pytest.raises(UpstreamMalformed, match="more than 4 bytes"):
            await response.read(4)


async def test_an_answer_is_not_readable_after_its_context(upstream: PooledUpstream) -> None:
    async with serving(answering(whole(b"1"))) as server:
        async with upstream.request("GET", server.url(), headers={}) as response:
            pass
        with pytest.raises(RuntimeError):
            await response.read()


# connections


async def test_leaving_early_closes_the_connection_at_once(upstream: PooledUpstream) -> None:
    closed = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(CHUNKED + b"3\r\none\r\n")
        if await wire.left():
            closed.set()

    async with serving(script) as server:
        async with upstream.request("GET", server.url(), headers={}) as response:
            async for chunk in response.chunks():
                assert chunk == b"one"
                break
        async with asyncio.timeout(PATIENCE_SECONDS):
            await closed.wait()


@pytest.mark.parametrize("before", [b"", CHUNKED], ids=["before the answer", "in the body"])
async def test_cancelling_the_waiting_task_closes_the_connection(upstream: PooledUpstream, before: bytes) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(before)
        asked.set()
        if await wire.left():
            closed.set()

    async with serving(script) as server, asyncio.timeout(PATIENCE_SECONDS):
        task = asyncio.create_task(fetch(upstream, server.url()))
        await asked.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()


async def test_two_requests_share_a_connection(upstream: PooledUpstream) -> None:
    async with serving(answering(whole(b"1"), whole(b"2"))) as server:
        assert [await fetch(upstream, server.url("/a")), await fetch(upstream, server.url("/b"))] == [b"1", b"2"]
        assert server.connections == 1


async def test_a_pooled_connection_that_the_server_closed_is_not_used(upstream: PooledUpstream) -> None:
    async with serving(closing_after(whole(b"ok"))) as server:
        assert await fetch(upstream, server.url()) == b"ok"
        await asyncio.sleep(0.02)
        assert await fetch(upstream, server.url()) == b"ok"
        assert server.connections == 2


async def test_a_pooled_connection_that_closes_under_the_request_is_replaced(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(whole(b"ok"))
        await wire.request()  # read and not answered: the race between a request and an idle timeout

    async with serving(script) as server:
        assert await fetch(upstream, server.url()) == b"ok"
        assert await fetch(upstream, server.url()) == b"ok"
        assert server.connections == 2


async def test_a_pooled_connection_that_breaks_in_its_answer_is_not_retried(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(whole(b"ok"))
        await wire.request()
        await wire.send(b"HTTP/1.1 2")

    async with serving(script) as server:
        assert await fetch(upstream, server.url()) == b"ok"
        assert type(await failure_of(upstream, server.url())) is UpstreamCut
        assert server.connections == 1


@pytest.mark.parametrize("extra", [b"unasked", whole(b"second")])
async def test_bytes_nobody_asked_for_spoil_a_connection(upstream: PooledUpstream, extra: bytes) -> None:
    async with serving(answering(whole(b"ok") + extra)) as server:
        assert await fetch(upstream, server.url()) == b"ok"
        assert await fetch(upstream, server.url()) == b"ok"
        assert server.connections == 2


async def test_an_unasked_answer_on_an_idle_connection_is_not_taken_for_the_next(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(whole(b"ok"))
        await asyncio.sleep(0.01)
        await wire.send(whole(b"", status=b"408 Request Timeout"))

    async with serving(script) as server:
        assert await fetch(upstream, server.url()) == b"ok"
        await asyncio.sleep(0.05)
        assert await fetch(upstream, server.url()) == b"ok"


async def test_head_requests_have_no_body(upstream: PooledUpstream) -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")) as server:
        for _ in range(2):
            async with upstream.request("HEAD", server.url(), headers={}) as response:
                assert await response.read() == b""


async def test_many_requests_at_once_get_their_own_answers(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        while request := await wire.request():
            await asyncio.sleep(0.001)
            await wire.send(whole(request.partition(b"\r\n\r\n")[2]))

    async def ask(number: int) -> bool:
        async with upstream.request("POST", server.url(), headers={}, body=b"%d" % number) as response:
            return await response.read() == b"%d" % number

    async with serving(script) as server:
        assert all(await asyncio.gather(*(ask(number) for number in range(100))))
        connections = server.connections
        assert all(await asyncio.gather(*(ask(number) for number in range(100))))
        assert server.connections == connections


async def test_a_host_gets_no_more_connections_than_it_may() -> None:
    busy = most = 0

    async def script(wire: Wire) -> None:
        nonlocal busy, most
        while await wire.request():
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.002)
            busy -= 1
            await wire.send(whole(b"ok"))

    upstream = PooledUpstream(max_connections_per_host=3)
    async with serving(script) as server:
        await asyncio.gather(*(fetch(upstream, server.url()) for _ in range(30)))
        assert (server.connections, most) == (3, 3)
        async with (
            upstream.request("GET", server.url(), headers={}),
            upstream.request("GET", server.url(), headers={}),
            upstream.request("GET", server.url(), headers={}),
        ):
            assert type(await failure_of(upstream, server.url(), Timeouts(idle=0.05))) is UpstreamTimedOut
        assert await fetch(upstream, server.url()) == b"ok"
        await upstream.aclose()


# TLS and proxies


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_an_untrusted_certificate_is_told_with_the_way_out(
    upstream: PooledUpstream, server_tls: ssl.SSLContext
) -> None:
    async with serving(answering(whole(b"ok")), tls=server_tls) as server:
        failure = await failure_of(upstream, server.url(f"/?key={SECRET}", "https"))
        assert type(failure) is UpstreamUnreachable
        assert f"127.0.0.1:{server.port}" in str(failure)
        assert "UPSTREAM_CA_BUNDLE" in str(failure)


async def test_a_server_without_tls_is_told(upstream: PooledUpstream) -> None:
    async def script(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await wire.left()

    async with serving(script) as server:
        failure = await failure_of(upstream, server.url("/", "https"))
        assert type(failure) is UpstreamUnreachable


@pytest.mark.parametrize("by", ["argument", "UPSTREAM_CA_BUNDLE", "SSL_CERT_FILE"])
async def test_a_private_authority_is_trusted(
    by: str, certificate: Path, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "argument":
        upstream = PooledUpstream(ca_bundle=str(certificate))
    else:
        monkeypatch.setenv(by, str(certificate))
        upstream = PooledUpstream()
    async with serving(answering(whole(b"a" * 200_000)), tls=server_tls) as server:
        for _ in range(2):
            assert len(await fetch(upstream, server.url("/", "https"))) == 200_000
        assert server.connections == 1
        await upstream.aclose()


async def test_a_missing_bundle_is_told() -> None:
    failure = await failure_of(PooledUpstream(ca_bundle="/no/such/file"), "https://127.0.0.1:9/")
    assert type(failure) is UpstreamUnreachable


async def test_plain_requests_go_through_the_proxy_of_the_environment(
    upstream: PooledUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    async def script(wire: Wire) -> None:
        seen.append(await wire.request())
        await wire.send(whole(b"by proxy"))

    async with serving(script) as proxy, serving(answering(whole(b"direct"))) as server:
        monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert await fetch(upstream, "http://backend.test/v1?a=b") == b"by proxy"
        assert await fetch(upstream, server.url()) == b"direct"
    assert seen[0].startswith(b"POST http://backend.test/v1?a=b HTTP/1.1\r\nhost: backend.test\r\n")
    assert b"proxy-authorization: Basic dXNlcjpwYXNz\r\n" in seen[0]


async def test_tls_requests_go_through_a_tunnel(
    certificate: Path, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnels: list[bytes] = []

    async def script(wire: Wire) -> None:
        tunnels.append(await wire.request())
        await wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await wire.start_tls(server_tls)
        while request := await wire.request():
            assert request.startswith(b"POST /x HTTP/1.1\r\n")
            await wire.send(whole(b"inside"))

    upstream = PooledUpstream(ca_bundle=str(certificate))
    async with serving(script) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        for _ in range(2):
            assert await fetch(upstream, "https://127.0.0.1:9/x") == b"inside"
        await upstream.aclose()
    assert tunnels == [b"CONNECT 127.0.0.1:9 HTTP/1.1\r\nhost: 127.0.0.1:9\r\n\r\n"]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b""])
async def test_a_proxy_that_refuses_is_named(
    upstream: PooledUpstream, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(closing_after(answer)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://u:{SECRET}@127.0.0.1:{proxy.port}")
        failure = await failure_of(upstream, "https://backend.test/")
        assert type(failure) is UpstreamUnreachable
        assert f"backend.test:443 through the proxy 127.0.0.1:{proxy.port}" in str(failure)


def test_importing_it_brings_no_heavy_client_and_building_one_no_tls() -> None:
    program = (
        "import sys; from shared.providers.upstream import PooledUpstream; client = PooledUpstream();"
        "assert not {'aiohttp', 'httpx', 'requests', 'urllib.request', 'email'} & set(sys.modules);"
        "assert client._tls is None"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
