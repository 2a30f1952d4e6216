"""The chat route behind a real server in the test's own loop, around a catalog in memory; and a client that can be
slow, or leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from infra.local.serving import bind, server
from shared.gateway.answer import AdapterTable, Gateway
from shared.gateway.catalog import Catalog, TargetSpec, VirtualModel
from shared.gateway.records import Record
from shared.protocols.openai_chat.wire import OpenAIChat
from shared.providers.base import Endpoint, Timeouts
from shared.providers.registry import Adapters
from shared.providers.upstream import PooledUpstream
from shared.web.app import ClientApp
from shared.web.chat_route import ChatRoute

KEEP_ALIVE = b": keep-alive\n\n"


class InMemory:
    """What the store is to the gateway: the catalog, the keys, the ledger and the notes of health."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.records: list[Record] = []
        self.flushed: list[int] = []  # how many records were there at each flush
        self.notes: list[tuple[int, bool]] = []

    async def get(self) -> Catalog:
        return self.catalog

    async def refreshed(self) -> Catalog:
        return self.catalog

    async def settle(self) -> None:
        """Nothing is on its way."""

    async def reveal(self, endpoint: Endpoint) -> str | None:
        return None

    async def headers(self, model: VirtualModel) -> Mapping[str, str]:
        return model.custom_headers

    def record(self, record: Record) -> None:
        self.records.append(record)

    async def flush(self) -> None:
        self.flushed.append(len(self.records))

    def note(self, endpoint_id: int, ok: bool, error_code: str | None) -> None:
        self.notes.append((endpoint_id, ok))


@dataclass
class Served:
    port: int
    memory: InMemory
    readers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        return self.memory.records

    async def settled(self, count: int = 1) -> list[Record]:
        """The records, once the request is over and `count` are there."""
        async with asyncio.timeout(5):
            while not self.memory.flushed or len(self.records) < count:
                await asyncio.sleep(0.002)
        return self.records

    async def ask(self, **fields: Any) -> Asked:
        """Send a question and read nothing yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 16)
        self.readers.append(writer)
        body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "stream": True, **fields}
        raw = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(raw)}\r\n\r\n"
        writer.write(head.encode() + raw)
        return Asked(reader, writer)


@dataclass
class Asked:
    """One answer on its way."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> tuple[int, dict[str, str]]:
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        return int(first.split(" ")[1]), {name.lower(): value for name, value in headers.items()}

    async def piece(self) -> bytes:
        """The next chunk of the body; nothing at its end."""
        size = int(await self.reader.readline(), 16)
        piece = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return piece

    async def rest(self) -> bytes:
        pieces = []
        while piece := await self.piece():
            pieces.append(piece)
        return b"".join(pieces)

    async def whole(self) -> tuple[int, Any]:
        status, headers = await self.head()
        return status, json.loads(await self.reader.readexactly(int(headers["content-length"])))

    def leave(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def serving(
    *urls: str,
    keep_alive_seconds: float = 10.0,
    timeouts: Timeouts = Timeouts(),
    adapters: AdapterTable | None = None,
    endpoint_type: str = "openai",
    options: Mapping[str, Any] | None = None,
    **model: Any,
) -> AsyncIterator[Served]:
    """A gateway whose virtual model `fast` has one target for each URL, in their order."""
    endpoints: Mapping[int, Endpoint] = {
        number: Endpoint(number, f"backend-{number}", endpoint_type, url, priority=-number, options=dict(options or {}))
        for number, url in enumerate(urls, 1)
    }
    fast = replace(VirtualModel(1, "fast", tuple(TargetSpec(number, "actual") for number in endpoints)), **model)
    memory = InMemory(Catalog(1, endpoints, {"fast": fast}))
    upstream = PooledUpstream()
    gateway = Gateway(
        catalog=memory,
        adapters=adapters or Adapters(upstream),
        keys=memory,
        recorder=memory,
        health=memory,
        timeouts=timeouts,
    )
    route = ChatRoute(OpenAIChat(), lambda: gateway, max_body_bytes=1 << 20, keep_alive_seconds=keep_alive_seconds)
    listener = bind("127.0.0.1", 0, "PORT")
    uvicorn = server(ClientApp(route))
    uvicorn.config.timeout_graceful_shutdown = 1
    uvicorn.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(uvicorn._serve([listener]))
    served = Served(listener.getsockname()[1], memory)
    try:
        yield served
    finally:
        for writer in served.readers:
            writer.transport.abort()
        uvicorn.should_exit = True
        await running
        await upstream.aclose()
        listener.close()
