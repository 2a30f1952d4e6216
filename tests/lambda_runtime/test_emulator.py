"""The loop on AWS's own Runtime Interface Emulator, where there is one: `AWS_LAMBDA_RIE` names the binary.

The wheel of aws-sam-cli carries it (samcli/local/rapid/aws-lambda-rie-x86_64). It answers its caller when all is there
and shows no trailers, so time stamps and trailers are the fake API's matter; what is judged here is that AWS's code
takes each of our messages and goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import STDOUT
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lambda_runtime.events import rest_event
from tests.lambda_runtime.test_process import ROOT, WRAPPER

EMULATOR = os.environ.get("AWS_LAMBDA_RIE", "")
pytestmark = pytest.mark.skipif(not EMULATOR, reason="AWS_LAMBDA_RIE does not name the emulator's binary")
Invoke = Callable[[Any], Any]


@asynccontextmanager
async def emulator(tmp_path: Path, handler: str, *, timeout_seconds: int = 5) -> AsyncIterator[tuple[Invoke, Path]]:
    """How to invoke the function, and the emulator's log."""
    invoke_port, api_port = free_port(), free_port()
    log = tmp_path / "log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            EMULATOR,
            "--log-level=debug",
            f"--runtime-interface-emulator-address=127.0.0.1:{invoke_port}",
            f"--runtime-api-address=127.0.0.1:{api_port}",
            WRAPPER,
            sys.executable,
            "unused",
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "LAMBDA_TASK_ROOT": str(ROOT),
                "_HANDLER": handler,
                "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_seconds),
            },
            stdout=sink,
            stderr=STDOUT,
        )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{invoke_port}", timeout=20) as client:

                async def invoke(event: Any) -> bytes:
                    for _ in range(100):
                        try:
                            response = await client.post("/2015-03-31/functions/function/invocations", json=event)
                        except httpx.ConnectError:
                            await asyncio.sleep(0.05)  # it is not listening yet
                        else:
                            return response.content
                    raise AssertionError("the emulator does not listen")

                yield invoke, log
        finally:
            process.terminate()
            await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_answers_acknowledgements_and_large_events_are_understood(tmp_path: Path) -> None:
    async with emulator(tmp_path, "tests.lambda_runtime.apps:hello") as (invoke, log):
        hello = b'{"statusCode":200,"headers":{"content-type":"text/plain"}}' + bytes(8) + b"hello"
        assert await invoke(rest_event()) == hello
        assert await invoke({"warm": True}) == b"null"
        assert await invoke(rest_event(body="x" * 3_000_000)) == hello
        assert log.read_text().count("INVOKE RTDONE(status: success") == 3


async def test_a_response_with_error_trailers_is_taken_and_the_next_is_served(tmp_path: Path) -> None:
    async with emulator(tmp_path, "tests.lambda_runtime.apps:breaks") as (invoke, log):
        for _ in range(2):
            assert (await invoke(rest_event())).endswith(b"half")
        assert log.read_text().count("INVOKE RTDONE(status: success") == 2


async def test_an_init_failure_is_the_invocations_error(tmp_path: Path) -> None:
    async with emulator(tmp_path, "tests.lambda_runtime.nowhere:app") as (invoke, _):
        error = json.loads(await invoke(rest_event()))
        assert error["errorType"] == "Runtime.ImportModuleError"
        assert "nowhere" in error["errorMessage"]


async def test_an_event_that_cannot_be_read_is_the_invocations_error(tmp_path: Path) -> None:
    async with emulator(tmp_path, "tests.lambda_runtime.apps:hello") as (invoke, _):
        error = json.loads(await invoke({"httpMethod": "POST", "requestContext": {}}))
        assert error["errorType"] == "Runtime.UnmarshalError"
        assert (await invoke(rest_event())).endswith(b"hello")


async def test_the_deadline_is_kept(tmp_path: Path) -> None:
    async with emulator(tmp_path, "tests.lambda_runtime.apps:hangs", timeout_seconds=2) as (invoke, log):
        assert (await invoke(rest_event())).endswith(b"half")
        assert "INVOKE RTDONE(status: success" in log.read_text()
