"""`make load`: 100,000 requests against the local gateway; nothing may be lost, and the roll-ups equal the ledger.

The gateway runs as `make run` starts it, with a scripted backend. The journal is added up here by itself and compared,
pack by pack, with what the gateway's own process has counted meanwhile, and with what the usage API says.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from shared.gateway.records import Record
from shared.store.counters import PLACE, counted, total
from shared.store.journal import JournalTail
from shared.store.rollup_packs import unpack
from shared.store.rollup_table import RollupTable
from shared.store.rollups import NOTHING, aggregate
from shared.store.tables import Tables
from tests.benchmarks.load import many_at_once, one_by_one
from tests.benchmarks.processes import LOAD_CORE, Server
from tests.local.process import Gateway

_CONNECTIONS = 64
_PATIENCE_SECONDS = 120.0
_SAMPLE = 1_500
_ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        upstream = Server("upstream", LOAD_CORE)
        gateway = Gateway(Path(folder))
        try:
            asyncio.run(_run(Path(folder), gateway, upstream.url, requests))
        finally:
            gateway.stop()
            upstream.stop()


async def _run(folder: Path, gateway: Gateway, upstream_url: str, requests: int) -> None:
    api, admin = gateway.wait_until_ready()
    port = int(api.rpartition(":")[2])
    with httpx.Client(base_url=admin, timeout=30, trust_env=False) as client:
        endpoint = {"name": "scripted", "endpoint_type": "openai", "url": upstream_url}
        made = client.post("/api/admin/endpoints", json=endpoint)
        assert made.status_code == 201, made.text
        model = {
            "name": "whole",
            "endpoint_id": made.json()["id"],
            "actual_model": "whole",
            "cost_per_1m_tokens_in": "2.5",
            "cost_per_1m_tokens_out": "10",
        }
        made = client.post("/api/admin/virtual-models", json=model)
        assert made.status_code == 201, made.text
        await many_at_once(port, "whole", 8, 500)
        store = _store_of(gateway)
        samples: dict[str, list[tuple[float, float]]] = {"stopped": [], "counting": []}
        asked = 500
        for _ in range(_ROUNDS):
            for state, some in samples.items():
                while _told(client) < asked:
                    await asyncio.sleep(0.1)
                if state == "stopped":  # nothing is counted while the store's process stands still
                    os.kill(store, signal.SIGSTOP)
                try:
                    some.append(await _sample(port))
                finally:
                    os.kill(store, signal.SIGCONT)
                asked += _SAMPLE + _one_by_one_count()
        quiet, busy = (
            (max(rates), min(p50s)) for rates, p50s in (zip(*some, strict=True) for some in samples.values())
        )
        took, _ = await many_at_once(port, "whole", _CONNECTIONS, requests - asked)
        ended = time.monotonic()
        sent = requests
        while _told(client) < sent:
            assert time.monotonic() - ended < _PATIENCE_SECONDS, f"{_told(client)} of {sent} are counted"
            await asyncio.sleep(0.2)
        behind = time.monotonic() - ended
        summary = _usage(client)
    records = _journal(folder / "data" / "ledger")
    _compare(records, sent, summary, store)
    print(
        f"{requests:,} requests, {(requests - asked) / took:,.0f} a second; all counted {behind:.1f} s after the last"
    )
    print(f"at {_CONNECTIONS} at once: {quiet[0]:,.0f} a second with the counting stopped, {busy[0]:,.0f} with it")
    print(f"one at a time: {quiet[1]:,.0f} µs p50 with the counting stopped, {busy[1]:,.0f} with it")
    print(f"ledger, roll-ups and API agree: {summary['request_count']:,} requests, {summary['total_cost']} $")


async def _sample(port: int) -> tuple[float, float]:
    """Requests a second at many at once, and before that the p50 in µs of one at a time."""
    [answers] = await one_by_one([port], "whole", 40)
    took, _ = await many_at_once(port, "whole", _CONNECTIONS, _SAMPLE)
    return _SAMPLE / took, statistics.median(answer.last for answer in answers) * 1e6


def _one_by_one_count() -> int:
    return 40 * 11  # a block of ten and the one before it


def _store_of(gateway: Gateway) -> int:
    """The process of the gateway's tables."""
    children = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
    [found] = [each for each in children if b"store_process" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return int(found)


def _usage(client: httpx.Client) -> dict[str, float]:
    answer = client.get("/api/admin/usage")
    assert answer.status_code == 200, answer.text
    summary: dict[str, float] = answer.json()["summary"]
    return summary


def _told(client: httpx.Client) -> float:
    return _usage(client)["request_count"]


def _journal(folder: Path) -> list[Record]:
    tail, records = JournalTail(folder), []
    while page := tail.read(10_000):
        records += page
    return records


def _compare(records: list[Record], sent: int, summary: dict[str, float], store: int) -> None:
    assert len(records) == len({each.request_id for each in records}) == sent
    sums = aggregate(records)
    arguments = Path(f"/proc/{store}/cmdline").read_bytes().decode().split("\0")
    os.environ |= {"AWS_ACCESS_KEY_ID": "load", "AWS_SECRET_ACCESS_KEY": "load"}
    url = f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}"
    held = RollupTable(Tables("serverless-proxy", region="us-east-1", endpoint=url)).read(list(sums))
    for place, cells in sums.items():
        assert unpack(held.get(place, NOTHING).content) == cells, place
    everything = total(counted(each, with_ttft=False) for each in records)
    for name in ("input_tokens", "output_tokens", "reasoning_tokens"):
        assert summary[name] == everything[PLACE[name]], name
    assert round(summary["total_cost"] * 10**8) == round(sum(each.cost for each in records) / 10**4)


if __name__ == "__main__":
    main()
