"""What HTTP clients cost, each in a process of its own against one server.

Run with `python -m tests.benchmarks.upstream_clients`. Columns: CPU of importing it (fresh process, compiled files,
asyncio already there), resident memory added after traffic, CPU and throughput of a small POST at 64 at once, latency
of one at a time, and CPU per 200-byte chunk over 64 streams. A client that is not installed is named and left out.
`--loop uvloop` runs the same on the other event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import ModuleType
from typing import Any

PARALLEL = 64
ROUNDS = 3
ROUND_SECONDS = 1.0
SINGLES = 600
IMPORTS = 6
CHUNKS = 150
TICK_SECONDS = 0.008
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 400}]}).encode()
ANSWER = json.dumps({"choices": [{"message": {"content": "y" * 400}}]}).encode()
CHUNK = b"data: " + b"z" * 192 + b"\n\n"
HEADERS = {"authorization": "Bearer key", "content-type": "application/json", "accept-encoding": "identity"}

# Compiled files go where they hurt nobody; the first of the imports writes them.
ENVIRONMENT = {**os.environ, "PYTHONPYCACHEPREFIX": os.path.join(tempfile.gettempdir(), "upstream-clients-pycache")}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)

Post = Callable[[str], Awaitable[int]]  # returns the bytes read
Stream = Callable[[str], AsyncIterator[bytes]]


class Backend(asyncio.Protocol):
    """Answers POST /whole at once and POST /stream with a chunk every tick, and costs as little as it can."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, separator, rest = self.received.partition(b"\r\n\r\n")
        if not separator or len(rest) < len(BODY):
            return
        self.received = b""
        if b"/stream" in head.partition(b"\r\n")[0]:
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            self.send_chunk(CHUNKS)
        else:
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
                + ANSWER
            )

    def send_chunk(self, left: int) -> None:
        if left:
            self.transport.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
            asyncio.get_running_loop().call_later(TICK_SECONDS, self.send_chunk, left - 1)
        else:
            self.transport.write(b"0\r\n\r\n")


def serve(port: Any) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Backend, "127.0.0.1", 0, backlog=256)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@asynccontextmanager
async def with_httpx(transport: Any = None) -> AsyncIterator[tuple[Post, Stream]]:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(transport=transport, limits=limits, timeout=60, trust_env=False) as client:

        async def post(url: str) -> int:
            response = await client.post(url, content=BODY, headers=HEADERS)
            return len(response.content)

        async def stream(url: str) -> AsyncIterator[bytes]:
            async with client.stream("POST", url, content=BODY, headers=HEADERS) as response:
                async for chunk in response.aiter_raw():
                    yield chunk

        yield post, stream


@asynccontextmanager
async def with_httpx_aiohttp() -> AsyncIterator[tuple[Post, Stream]]:
    import httpx
    from httpx_aiohttp import AiohttpTransport

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with with_httpx(AiohttpTransport(limits=limits)) as both:
        yield both


@asynccontextmanager
async def with_aiohttp() -> AsyncIterator[tuple[Post, Stream]]:
    import aiohttp

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:

        async def post(url: str) -> int:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                return len(await response.read())

        async def stream(url: str) -> AsyncIterator[bytes]:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                async for chunk in response.content.iter_any():
                    yield chunk

        yield post, stream


@asynccontextmanager
async def with_pyreqwest() -> AsyncIterator[tuple[Post, Stream]]:
    from pyreqwest.client import ClientBuilder

    async with ClientBuilder().no_proxy().follow_redirects(False).build() as client:

        async def post(url: str) -> int:
            response = await client.post(url).headers(HEADERS).body_bytes(BODY).build().send()
            return len(await response.bytes())

        async def stream(url: str) -> AsyncIterator[bytes]:
            async with client.post(url).headers(HEADERS).body_bytes(BODY).build_streamed() as response:
                while (chunk := await response.body_reader.read_chunk()) is not None:
                    yield chunk  # type: ignore[misc]

        yield post, stream


@asynccontextmanager
async def with_raw_httptools() -> AsyncIterator[tuple[Post, Stream]]:
    """The lower bound: no timeouts, no limits, no errors, one loop future a read."""
    import httptools

    buffer = memoryview(bytearray(64 * 1024))

    class Connection(asyncio.BufferedProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport
            self.waiter: asyncio.Future[None] | None = None

        def send(self, path: str) -> None:
            self.pieces: list[bytes] = []
            self.complete = False
            self.parser = httptools.HttpResponseParser(self)
            lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
            head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}content-length: {len(BODY)}\r\n\r\n"
            self.transport.write(head.encode("latin-1") + BODY)

        def get_buffer(self, sizehint: int) -> memoryview:
            return buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.parser.feed_data(buffer[:nbytes])
            if self.waiter is not None and not self.waiter.done():
                self.waiter.set_result(None)

        def on_body(self, body: bytes) -> None:
            self.pieces.append(body)

        def on_message_complete(self) -> None:
            self.complete = True

        async def chunks(self) -> AsyncIterator[bytes]:
            while True:
                if self.pieces:
                    pieces, self.pieces = self.pieces, []
                    yield b"".join(pieces)
                if self.complete:
                    return
                self.waiter = asyncio.get_running_loop().create_future()
                await self.waiter

    idle: list[Connection] = []

    async def stream(url: str) -> AsyncIterator[bytes]:
        place, _, path = url.removeprefix("http://").partition("/")
        host, _, port = place.partition(":")
        if idle:
            connection = idle.pop()
        else:
            _, connection = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
        connection.send("/" + path)
        async for chunk in connection.chunks():
            yield chunk
        idle.append(connection)

    async def post(url: str) -> int:
        size = 0
        async for chunk in stream(url):
            size += len(chunk)
        return size

    yield post, stream
    for connection in idle:
        connection.transport.close()


@asynccontextmanager
async def with_ours() -> AsyncIterator[tuple[Post, Stream]]:
    from shared.providers.upstream import PooledUpstream

    async with AsyncExitStack() as stack:
        upstream = PooledUpstream()
        stack.push_async_callback(upstream.aclose)

        async def post(url: str) -> int:
            async with upstream.request("POST", url, headers=HEADERS, body=BODY) as response:
                return len(await response.read())

        async def stream(url: str) -> AsyncIterator[bytes]:
            async with upstream.request("POST", url, headers=HEADERS, body=BODY) as response:
                async for chunk in response.chunks():
                    yield chunk

        yield post, stream


def import_trimmed_aiohttp() -> None:
    """What aiohttp's client takes when the package's own `__init__` is not run."""
    found = importlib.util.find_spec("aiohttp")
    assert found is not None
    bare = ModuleType("aiohttp")
    bare.__path__ = list(found.submodule_search_locations or ())
    bare.__version__ = "trimmed"  # type: ignore[attr-defined]
    sys.modules["aiohttp"] = bare
    for name in ("aiohttp.hdrs", "aiohttp.client"):
        importlib.import_module(name)


# name -> (what is imported, the client)
CLIENTS: dict[str, tuple[str, Callable[[], Any] | None]] = {
    "httpx": ("httpx", with_httpx),
    "httpx over aiohttp": ("httpx,httpx_aiohttp", with_httpx_aiohttp),
    "aiohttp": ("aiohttp", with_aiohttp),
    "aiohttp without __init__": ("trimmed", None),
    "pyreqwest": ("pyreqwest.client", with_pyreqwest),
    "raw httptools (no safety)": ("httptools.parser.parser", with_raw_httptools),
    "PooledUpstream": ("shared.providers.upstream", with_ours),
}


def import_cost(modules: str) -> None:
    """In a fresh process: CPU milliseconds of the import; of ours, beyond the contracts that every adapter imports."""
    if modules.startswith("shared."):
        importlib.import_module("shared.providers.base")
    before = time.process_time()
    if modules == "trimmed":
        import_trimmed_aiohttp()
    else:
        for module in modules.split(","):
            importlib.import_module(module)
    print(json.dumps((time.process_time() - before) * 1e3))


async def traffic(client: Callable[[], Any], base: str) -> dict[str, float]:
    before_mb = resident_mb()
    async with client() as (post, stream):
        for _ in range(50):
            assert await post(base + "/whole") == len(ANSWER)

        latencies: list[float] = []
        for _ in range(SINGLES):
            start = time.perf_counter()
            await post(base + "/whole")
            latencies.append(time.perf_counter() - start)

        answered, deadline = 0, 0.0

        async def work() -> None:
            nonlocal answered
            while time.perf_counter() < deadline:
                assert await post(base + "/whole") == len(ANSWER)
                answered += 1

        await asyncio.gather(*(post(base + "/whole") for _ in range(PARALLEL)))
        costs: list[tuple[float, float]] = []  # CPU and wall time a request; the best round is the least disturbed
        for _ in range(ROUNDS):
            answered, cpu, wall = 0, time.process_time(), time.perf_counter()
            deadline = wall + ROUND_SECONDS
            await asyncio.gather(*(work() for _ in range(PARALLEL)))
            costs.append(((time.process_time() - cpu) / answered, (time.perf_counter() - wall) / answered))
        cpu, wall = min(costs)

        pieces = 0

        async def follow() -> None:
            nonlocal pieces
            size = 0
            async for chunk in stream(base + "/stream"):
                pieces += 1
                size += len(chunk)
            assert size == CHUNKS * len(CHUNK)

        stream_costs: list[tuple[float, int]] = []
        for _ in range(ROUNDS):
            pieces, cpu_before = 0, time.process_time()
            await asyncio.gather(*(follow() for _ in range(PARALLEL)))
            stream_costs.append((time.process_time() - cpu_before, pieces))
        chunk_cpu, pieces = min(stream_costs)
        added_mb = resident_mb() - before_mb
    return {
        "added_mb": added_mb,
        "cpu_us": cpu * 1e6,
        "per_second": 1 / wall,
        "latency_us": statistics.median(latencies) * 1e6,
        "chunk_us": chunk_cpu / (PARALLEL * CHUNKS) * 1e6,
        "pieces": pieces / (PARALLEL * CHUNKS),
    }


def resident_mb() -> float:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 2**20


def run_self(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.upstream_clients", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
    return json.loads(done.stdout)


def measure(loop: str) -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{ours.recv()}"
    print(f"loop {loop}; {PARALLEL} at once; Python {sys.version.split()[0]}")
    print("| client | import ms | + MB | CPU µs/request | requests/s | p50 µs | CPU µs/chunk | reads/chunk |")
    print("|---|---|---|---|---|---|---|---|")
    try:
        for name, (modules, client) in CLIENTS.items():
            try:
                imported = min(run_self("--import", modules) for _ in range(IMPORTS))
                row = run_self("--client", name, "--base", base, "--loop", loop) if client else None
            except RuntimeError as error:
                print(f"| {name} | {error} |")
                continue
            if row is None:
                print(f"| {name} | {imported:.0f} | | | | | | |")
                continue
            print(
                f"| {name} | {imported:.0f} | {row['added_mb']:.1f} | {row['cpu_us']:.0f} | {row['per_second']:.0f} "
                f"| {row['latency_us']:.0f} | {row['chunk_us']:.1f} | {row['pieces']:.2f} |",
                flush=True,
            )
    finally:
        server.terminate()
        server.join()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--import", dest="modules")
    arguments.add_argument("--client", choices=CLIENTS)
    arguments.add_argument("--base")
    arguments.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    chosen = arguments.parse_args()
    if chosen.modules:
        import_cost(chosen.modules)
    elif chosen.client:
        client = CLIENTS[chosen.client][1]
        assert client is not None
        factory = importlib.import_module("uvloop").new_event_loop if chosen.loop == "uvloop" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            print(json.dumps(runner.run(traffic(client, chosen.base))))
    else:
        measure(chosen.loop)


if __name__ == "__main__":
    main()
