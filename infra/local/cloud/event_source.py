"""Lambda's event source mapping for a table's stream: batches in order, tried again, halved, and set aside at last.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html and
with-ddb.html: after a partial failure the batch goes on at the lowest sequence number that failed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx

from infra.local.cloud.aws_process import ACCOUNT, REGION, STREAM_PATH
from infra.local.cloud.deployment import Aws, EventSource
from infra.local.cloud.invocation import Buffered, Result
from shared.wire import dumps, loads

log = logging.getLogger(__name__)

Record: TypeAlias = dict[str, Any]

_POLL_SECONDS = 0.25


class EventSourceMapping:
    """Reads one table's stream from its beginning for as long as it runs, and calls the function with what is new."""

    def __init__(self, source: EventSource, aws: Aws, invoke: Callable[[str, bytes], Awaitable[Result]]) -> None:
        self._source = source
        self._aws = aws
        self._invoke = invoke
        self._read = 0

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self._aws.endpoint, trust_env=False, timeout=30) as client:
            while True:
                batch = await self._gather(client)
                await self._deliver(batch, self._source.retries)

    async def _gather(self, client: httpx.AsyncClient) -> list[Record]:
        """New records: a full batch, or what has come by the end of the window that the first of them opened."""
        batch: list[Record] = []
        closes_at: float | None = None
        while len(batch) < self._source.batch_size:
            answer = await client.get(STREAM_PATH, params={"table": self._source.table, "after": self._read})
            fresh = loads(answer.raise_for_status().content)[: self._source.batch_size - len(batch)]
            self._read += len(fresh)
            batch += [each for each in fresh if not self._source.only or each["eventName"] in self._source.only]
            now = time.monotonic()
            if batch and closes_at is None:
                closes_at = now + self._source.window_seconds
            if closes_at is not None and now >= closes_at:
                break
            await asyncio.sleep(_POLL_SECONDS)
        return batch

    async def _deliver(self, batch: list[Record], tries_left: int) -> None:
        failed_from = await self._call(batch)
        if failed_from is None:
            return
        rest = batch[failed_from:]
        if len(rest) < len(batch):  # what stands before was taken
            await self._deliver(rest, tries_left)
        elif self._source.bisects and len(batch) > 1:
            middle = len(batch) // 2
            await self._deliver(batch[:middle], tries_left)
            await self._deliver(batch[middle:], tries_left)
        elif tries_left > 0:
            await asyncio.sleep(_POLL_SECONDS)
            await self._deliver(batch, tries_left - 1)
        else:
            await asyncio.to_thread(self._set_aside, batch)

    async def _call(self, batch: list[Record]) -> int | None:
        """The place of the first record that was not taken; None when all were."""
        result = await self._invoke(self._source.function, dumps({"Records": [self._told(each) for each in batch]}))
        if not isinstance(result, Buffered):
            log.warning("the consumer of %s failed: %s", self._source.table, result)
            return 0
        answer = loads(result.payload)
        failures = {each["itemIdentifier"] for each in (answer or {}).get("batchItemFailures", ())}
        places = (place for place, each in enumerate(batch) if each["dynamodb"]["SequenceNumber"] in failures)
        return next(places, None)

    def _told(self, record: Record) -> Record:
        stream = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self._source.table}/stream/2026-01-01T00:00:00.000"
        return {**record, "eventSourceARN": stream}

    def _set_aside(self, batch: list[Record]) -> None:
        log.warning("%d records of %s are set aside", len(batch), self._source.table)
        if self._source.dead_letters is None:
            return
        numbers = [each["dynamodb"]["SequenceNumber"] for each in batch]
        body = {
            "requestContext": {"condition": "RetryAttemptsExhausted", "functionArn": self._source.function},
            "DDBStreamBatchInfo": {
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "batchSize": len(numbers),
            },
        }
        queue = self._aws.client("sqs")
        queue.send_message(QueueUrl=self._source.dead_letters, MessageBody=dumps(body).decode())
