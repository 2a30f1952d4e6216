"""What a cold start costs, function by function: the real bundles in the emulated cloud.

    python -m tests.benchmarks.cold_start

CPU seconds of the function's process: until it asks for its first invocation, and for its first request, which
connects to DynamoDB, loads the configuration and, in the chat function, asks a backend. One at a time.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx

from infra.local.cloud.assembly import synthesize
from infra.local.cloud.cloud import Cloud, emulated_cloud
from infra.routes import ROUTES

RUNS = 3
_BODIES = {
    "chat_completions": {"model": "demo", "messages": [{"role": "user", "content": "hello"}]},
    "completions": {"model": "demo", "prompt": "hello"},
    "embeddings": {"model": "demo", "input": "hello"},
}


class Start(NamedTuple):
    init_ms: float
    first_ms: float
    memory_mb: float
    bundle_mb: float


def requests() -> Iterator[tuple[str, str, str]]:
    """A function, and a request of its own that changes nothing: method and path."""
    seen: set[str] = set()
    for route in ROUTES:
        method = "GET" if "GET" in route.methods else route.methods[0]
        if route.function not in seen and (method == "GET" or route.function in _BODIES):
            seen.add(route.function)
            path = route.path.replace("{id}", "1").replace("{model+}", "demo")
            yield route.function, method, path


async def measure(cloud: Cloud, client: httpx.AsyncClient, function: str, method: str, path: str) -> Start:
    logical, deployed = next(
        (logical, each)
        for logical, each in cloud.deployment.functions.items()
        if each.name == f"{cloud.table_prefix}-{function.replace('_', '-')}"
    )
    for environment in cloud.service.environments(logical):
        await environment.kill()
    started = await cloud.service.warm(logical)
    init = started.cpu_seconds()
    answer = await client.request(method, cloud.url + path, json=_BODIES.get(function))
    if answer.status_code >= 500:
        raise RuntimeError(f"{function}: {answer.status_code} {answer.text[:200]}")
    await asyncio.sleep(0.3)  # what it does after its answer
    files = sum(each.stat().st_size for each in deployed.bundle.rglob("*") if each.is_file())
    return Start(init * 1e3, (started.cpu_seconds() - init) * 1e3, started.resident_mb(), files / 1e6)


async def table() -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await asyncio.to_thread(synthesize, folder / "assembly", {"private_upstreams": "allowed"})
        async with emulated_cloud(folder / "assembly", folder / "machine") as cloud:
            key = await asyncio.to_thread(cloud.client_key, "bench")
            headers = {"authorization": f"Bearer {cloud.issuer.token('bench@example.org')}", "x-api-key": key}
            async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as client:
                await _demo(cloud, client)
                rows = []
                for function, method, path in requests():
                    asked = client if path.startswith("/api/admin") else _without_token(key)
                    runs = [await measure(cloud, asked, function, method, path) for _ in range(RUNS)]
                    best = Start(*(min(column) for column in zip(*runs, strict=True)))
                    rows.append(
                        f"| `{function}` | {best.init_ms:.0f} | {best.first_ms:.0f} | {best.memory_mb:.0f} |"
                        f" {best.bundle_mb:.1f} |"
                    )
                return rows


def _without_token(key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=60, trust_env=False)


async def _demo(cloud: Cloud, client: httpx.AsyncClient) -> None:
    made = await client.post(cloud.url + "/api/admin/endpoints", json={"name": "d", "endpoint_type": "demo", "url": ""})
    target = {"endpoint_id": made.raise_for_status().json()["id"], "actual_model": "demo"}
    body = {"name": "demo", "targets": [target]}
    (await client.post(cloud.url + "/api/admin/virtual-models", json=body)).raise_for_status()


def main() -> int:
    sys.stdout.write("| function | start, ms of CPU | first request, ms of CPU | memory, MB | bundle, MB |\n")
    sys.stdout.write("|---|--:|--:|--:|--:|\n" + "\n".join(asyncio.run(table())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
