"""`make bench`: measures the gateway beside a bare pass-through in the same run, and prints one table in Markdown.

Linux with two cores or more: the server under measurement has one to itself, the scripted upstream and the load share
another. Other work on the machine disturbs both sides, so the ratios are what to compare.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson
import uvloop

from shared.gateway.catalog import TargetSpec, VirtualModel
from shared.store.config_records import EndpointRecord
from shared.store.config_store import ConfigStore
from shared.store.tables import Tables
from tests.benchmarks import imports, tool_calls
from tests.benchmarks.load import WORDS, Answered, many_at_once, one_by_one
from tests.benchmarks.processes import LOAD_CORE, SERVER_CORE, Server, pin

_PREFIX = "bench"
_READS = ("GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems")
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


class Extent(NamedTuple):
    """How much is measured."""

    latency_rounds: int
    repeats: int
    requests: int
    streams: int
    soak: int
    warm_seconds: float
    imports: int


QUICK = Extent(
    latency_rounds=40, repeats=2, requests=3_000, streams=32, soak=5_000, warm_seconds=1.0, imports=4
)  # fmt: skip
FULL = Extent(
    latency_rounds=200, repeats=6, requests=5_000, streams=64, soak=100_000, warm_seconds=12.0, imports=12
)  # fmt: skip


class Row(NamedTuple):
    what: str
    passthrough: str = ""
    gateway: str = ""
    ratio: str = ""
    budget: str = ""


class Load(NamedTuple):
    """The best of several rounds on one server."""

    per_second: float
    cpu_us: float
    pieces: float


class Bench:
    def __init__(self, extent: Extent, folder: Path, stack: ExitStack) -> None:
        self._extent = extent
        self._folder = folder
        self._stack = stack
        self._tables = self._start("tables", LOAD_CORE)
        self._upstream = self._start("upstream", LOAD_CORE)
        self._passthrough = self._start("passthrough", SERVER_CORE, self._upstream.url)
        self._environment = {
            "AWS_ENDPOINT_URL_DYNAMODB": self._tables.url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_REGION": "us-east-1",
            "TABLE_PREFIX": _PREFIX,
            "DATA_DIR": str(folder / "data"),
        }
        os.environ.update(self._environment)
        _seed(self._tables.url, self._upstream.url)

    def _start(self, module: str, core: str, *arguments: str, **environment: str) -> Server:
        server = Server(module, core, *arguments, environment=environment)
        self._stack.callback(server.stop)
        return server

    async def rows(self) -> list[Row]:
        rows = [await self._cold()]
        self._gateway = self._start("gateway", SERVER_CORE, **self._environment)
        rss = [self._gateway.rss_mb()]
        await many_at_once(self._gateway.port, "whole", 64, 1_000)
        await many_at_once(self._passthrough.port, "whole", 64, 1_000)
        rss.append(self._gateway.rss_mb())
        return [
            *await self._latency(),
            *await self._throughput(),
            *await self._bursts(),
            *await self._single_chunks(),
            *await self._traffic_to_tables(),
            *await self._memory(rss),
            *self._imports(),
            *rows,
            *self._recovery(),
        ]

    async def _latency(self) -> list[Row]:
        ports = [self._upstream.port, self._passthrough.port, self._gateway.port]
        whole = await one_by_one(ports, "whole", self._extent.latency_rounds)
        rows = [
            _added(f"added latency {name}, one at a time (µs)", whole, lambda answer: answer.last, quantile, budget)
            for name, quantile, budget in (("p50", 0.5, "450 (pass-through 300)"), ("p99", 0.99, ""))
        ]
        # the connection is asked again only when the stream is over: few, for a stream lasts more than a second
        first = await one_by_one(ports, "burst", max(3, self._extent.latency_rounds // 10), block=5)
        rows.append(_added("added time to the first chunk, p50 (µs)", first, lambda answer: answer.first, 0.5, ""))
        return rows

    async def _throughput(self) -> list[Row]:
        ours, theirs = await self._both("whole", 64, self._extent.requests, 1)
        return [
            _faster("requests/s at 64 at once, one core", ours, theirs, "2,500 (pass-through 3,600)"),
            _cheaper("CPU per request at 64 at once (µs)", ours, theirs, ""),
        ]

    async def _bursts(self) -> list[Row]:
        ours, theirs = await self._both("burst", 16, self._extent.streams, WORDS["burst"])
        return [
            _faster("streamed chunks/s in bursts, one core", ours, theirs, "60,000"),
            _cheaper("CPU per chunk in bursts (µs)", ours, theirs, ""),
        ]

    async def _single_chunks(self) -> list[Row]:
        ours, theirs = await self._both("single", 32, self._extent.streams, WORDS["single"])
        above = ours.cpu_us - theirs.cpu_us
        return [
            _cheaper("CPU per chunk that comes alone (µs)", ours, theirs, ""),
            Row("… above the pass-through (µs)", "0", f"{above:.1f}", "", "50"),
            Row("pieces per such chunk (1: each leaves when it arrives)", f"{theirs.pieces:.2f}", f"{ours.pieces:.2f}"),
        ]

    async def _both(self, script: str, connections: int, requests: int, units: int) -> tuple[Load, Load]:
        """Gateway and pass-through in turns, a unit being a request or a chunk; the best round of each."""
        found: dict[Server, list[Load]] = {self._gateway: [], self._passthrough: []}
        for _ in range(self._extent.repeats):
            for server, loads in found.items():
                cpu = server.cpu_seconds()
                took, pieces = await many_at_once(server.port, script, connections, requests)
                cpu = server.cpu_seconds() - cpu
                count = requests * units
                loads.append(Load(count / took, cpu / count * 1e6, pieces / count))
        ours, theirs = (
            Load(max(load.per_second for load in loads), min(load.cpu_us for load in loads), loads[0].pieces)
            for loads in found.values()
        )
        return ours, theirs

    async def _traffic_to_tables(self) -> list[Row]:
        rows = []
        for what, kinds, budget, runtime in (
            ("table reads per warm request", _READS, "0 (the version is read behind requests, at most every 5 s)", ""),
            ("table writes per request, local: a journal line instead", _WRITES, "0 in the request's way", ""),
            ("table writes per request, on Lambda", _WRITES, "1", "127.0.0.1:9"),
        ):
            gateway = self._gateway
            if runtime:
                on_lambda = {
                    **self._environment,
                    "AWS_LAMBDA_RUNTIME_API": runtime,
                    "CLIENT_ACCESS": "open",
                    "PRIVATE_UPSTREAMS": "allowed",
                }
                gateway = self._start("gateway", SERVER_CORE, **on_lambda)
            await many_at_once(gateway.port, "whole", 1, 10)
            began, requests, before = time.monotonic(), 0, self._asked(kinds)
            while time.monotonic() - began < self._extent.warm_seconds:
                await many_at_once(gateway.port, "whole", 1, 100)
                requests += 100
            asked, took = self._asked(kinds) - before, time.monotonic() - began
            rows.append(Row(what, "", f"{asked / requests:.4f} ({asked} in {requests:,}, {took:.0f} s)", "", budget))
        return rows

    def _asked(self, operations: tuple[str, ...]) -> int:
        with urllib.request.urlopen(self._tables.url + "/counts", timeout=5) as answer:
            counts = orjson.loads(answer.read())
        return sum(counts.get(operation, 0) for operation in operations)

    async def _memory(self, rss: list[float]) -> list[Row]:
        await many_at_once(self._gateway.port, "whole", 64, 5_000)
        warm = self._gateway.rss_mb()
        await many_at_once(self._gateway.port, "whole", 64, self._extent.soak)
        await many_at_once(self._gateway.port, "burst", 16, 16)
        after = self._gateway.rss_mb()
        theirs = self._passthrough.rss_mb()
        return [
            Row("memory after start (MB)", "", f"{rss[0]:.1f}", "", "80"),
            Row("memory warm (MB)", f"{theirs:.1f}", f"{warm:.1f}", f"{warm / theirs:.2f}", "80"),
            Row(f"memory after {self._extent.soak:,} requests more (MB)", "", f"{after:.1f}", "", "80, flat"),
        ]

    def _imports(self) -> list[Row]:
        bare = imports.cpu_ms("pass", self._folder, self._extent.imports)
        rows = []
        for function in imports.FUNCTIONS:
            code = f"import functions.{function}.app"
            spent = imports.cpu_ms(code, self._folder, self._extent.imports) - bare
            rows.append(Row(f"import of `{function}` (ms CPU)", "", f"{spent:.0f}", "", "350"))
        chat = "import functions.chat_completions.app" + imports.FIRST_REQUEST
        spent = imports.cpu_ms(chat, self._folder, self._extent.imports) - bare
        rows.append(Row("… `chat_completions` with all its first request needs (ms CPU)", "", f"{spent:.0f}"))
        heaviest = ", ".join(f"{package} {ms:.0f}" for package, ms in imports.heaviest(chat, self._folder))
        rows.append(Row(f"… heaviest there (ms wall, own modules): {heaviest}"))
        return rows

    async def _cold(self) -> Row:
        """A fresh process's first request: it makes the AWS client, reads the tables and opens the connection."""
        best, cpu_ms = float("inf"), 0.0
        for _ in range(self._extent.repeats):
            gateway = self._start("gateway", SERVER_CORE, **self._environment)
            cpu = gateway.cpu_seconds()
            [[answer]] = [await _first(gateway.port)]
            if answer.last < best:
                best, cpu_ms = answer.last, (gateway.cpu_seconds() - cpu) * 1_000
            gateway.stop()
        return Row("first request of a fresh process (ms; ms CPU)", "", f"{best * 1e3:.0f}; {cpu_ms:.0f}")

    def _recovery(self) -> list[Row]:
        """Tool calls recovered from text, in this process; the ratio is to a tenth of the text, so 10 is linear."""
        return [
            Row(f"{cost.what} (s CPU; ratio to 0.1 MB)", "", f"{cost.seconds:.3f}", f"{cost.growth:.1f}", cost.budget)
            for cost in tool_calls.rows(self._extent.repeats)
        ]


async def _first(port: int) -> list[Answered]:
    took, pieces = await many_at_once(port, "whole", 1, 1)
    return [Answered(took, took, pieces)]


def _seed(tables_url: str, upstream_url: str) -> None:
    tables = Tables(_PREFIX, region="us-east-1", endpoint=tables_url)
    tables.create_missing()
    store = ConfigStore(tables)
    endpoint = store.create_endpoint(EndpointRecord(name="scripted", url=upstream_url, endpoint_type="openai"))
    for script in ("whole", *WORDS):
        store.create_virtual_model(VirtualModel(id=0, name=script, targets=(TargetSpec(endpoint.id, script),)))


def _added(
    what: str, answers: list[list[Answered]], seconds: Callable[[Answered], float], quantile: float, budget: str
) -> Row:
    direct, theirs, ours = (_quantile([seconds(answer) for answer in mine], quantile) * 1e6 for mine in answers)
    ratio = (ours - direct) / (theirs - direct)
    return Row(
        f"{what}; direct {direct:,.0f}", f"{theirs - direct:,.0f}", f"{ours - direct:,.0f}", f"{ratio:.2f}", budget
    )


def _quantile(values: list[float], quantile: float) -> float:
    return statistics.quantiles(values, n=1_000, method="inclusive")[round(quantile * 1_000) - 1]


def _faster(what: str, ours: Load, theirs: Load, budget: str) -> Row:
    ratio = ours.per_second / theirs.per_second
    return Row(what, f"{theirs.per_second:,.0f}", f"{ours.per_second:,.0f}", f"{ratio:.2f}", budget)


def _cheaper(what: str, ours: Load, theirs: Load, budget: str) -> Row:
    return Row(what, f"{theirs.cpu_us:,.1f}", f"{ours.cpu_us:,.1f}", f"{ours.cpu_us / theirs.cpu_us:.2f}", budget)


def _machine() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    cpu = model[1] if model else platform.machine()
    when = datetime.now(UTC).date().isoformat()
    return f"{when}; {cpu}, {os.cpu_count()} cores; Python {platform.python_version()}; load {os.getloadavg()[0]:.1f}"


async def _measure(extent: Extent) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        return await Bench(extent, Path(folder), stack).rows()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make bench", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="under a minute, with more noise")
    chosen = arguments.parse_args()
    machine, began = _machine(), time.monotonic()
    pin(LOAD_CORE)
    rows = uvloop.run(_measure(QUICK if chosen.quick else FULL))
    print(f"{machine}; {'quick' if chosen.quick else 'full'}, {time.monotonic() - began:.0f} s\n")
    print("| what | pass-through | gateway | ratio | budget |")
    print("|---|--:|--:|--:|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    sys.exit(main())
