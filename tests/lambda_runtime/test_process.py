"""The runtime as Lambda starts it: the exec wrapper, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.lambda_runtime.events import rest_event
from tests.lambda_runtime.fake_api import FakeApi, runtime_api

ROOT = Path(__file__).parents[2]
WRAPPER = ROOT / "shared" / "lambda_runtime" / "bootstrap"


@asynccontextmanager
async def started(api: FakeApi, handler: str, **environment: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        WRAPPER,
        sys.executable,
        "/var/runtime/bootstrap.py",  # what Lambda would have run; not there, and not to be touched
        cwd="/",
        env={
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "LAMBDA_TASK_ROOT": str(ROOT),
            "_HANDLER": handler,
            **environment,
        },
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_wrapper_serves_the_handler_and_stops_when_it_is_told_to() -> None:
    async with runtime_api() as api, started(api, "tests.lambda_runtime.apps.hello") as process:
        assert (await api.invoke(rest_event())).body == b"hello"
        assert (await api.invoke({"warm": True})).payload == b"null"
        await api.idle()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_a_handler_with_a_colon_pollers_and_a_snapshot_are_taken_from_the_environment() -> None:
    environment = {"AWS_LAMBDA_MAX_CONCURRENCY": "3", "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    async with runtime_api() as api, started(api, "tests.lambda_runtime.apps:hello", **environment):
        assert (await api.invoke(rest_event())).body == b"hello"
        async with asyncio.timeout(10):
            while len(asked := [posted.path.removeprefix("/2018-06-01/runtime/") for posted in api.posted]) < 6:
                await asyncio.sleep(0.005)
        assert asked[0] == "restore/next"
        assert asked.count("invocation/next") == 4  # one that was served, and three that wait


@pytest.mark.parametrize(
    ("handler", "environment", "kind", "named"),
    [
        ("tests.lambda_runtime.nowhere:app", {}, "Runtime.ImportModuleError", "nowhere"),
        ("tests.lambda_runtime.apps:nothing", {}, "Runtime.HandlerNotFound", "nothing"),
        ("tests.lambda_runtime.apps:hello", {"LOG_LEVEL": "loud"}, "Function.SettingsError", "LOG_LEVEL"),
    ],
)
async def test_an_app_that_cannot_be_loaded_is_reported_and_ends_the_process(
    handler: str, environment: dict[str, str], kind: str, named: str
) -> None:
    async with runtime_api() as api, started(api, handler, **environment) as process:
        _, stderr = await process.communicate()
        assert process.returncode == 1
        assert [posted.path for posted in api.posted] == ["/2018-06-01/runtime/init/error"]
        assert api.posted[0].headers["lambda-runtime-function-error-type"] == kind
        told = json.loads(api.posted[0].payload)
        assert told["errorType"] == kind
        assert named in told["errorMessage"]
        lines = stderr.decode().splitlines()
        assert lines
        if kind != "Function.SettingsError":  # before the settings are known, the log has no form yet
            assert "Traceback" in json.loads(lines[0])["exception"]


async def test_a_kill_during_a_response_leaves_no_end_that_could_be_taken_for_whole() -> None:
    async with runtime_api() as api, started(api, "tests.lambda_runtime.apps:hangs") as process:
        offer = api.offer(rest_event())
        await offer.arrived.wait()
        assert offer.posted is not None
        while len(offer.posted.chunks) < 2:
            await asyncio.sleep(0.005)
        process.kill()
        posted = await api.posted_for(offer)
        assert (posted.complete, posted.body, posted.trailers) == (False, b"half", {})


def test_the_wrapper_may_be_executed() -> None:
    assert WRAPPER.stat().st_mode & 0o777 == 0o755


async def test_the_runtime_brings_nothing_heavy() -> None:
    """Imports beyond the app's own are paid for at every cold start: the list is what the ADR counted."""
    code = "import sys; import shared.lambda_runtime.__main__; print(' '.join(sys.modules))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT, stdout=PIPE)
    output, _ = await process.communicate()
    heavy = {
        "httpx",
        "http.client",
        "email",
        "boto3",
        "botocore",
        "pynamodb",
        "pydantic",
        "starlette",
        "fastapi",
    }
    assert heavy & set(output.decode().split()) == set()
