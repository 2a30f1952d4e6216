"""Execution environments with real processes: AWS's own runtime for buffered functions, ours for streaming ones."""

from __future__ import annotations

import asyncio
import json
import shutil
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud.deployment import Aws, DeployedFunction
from infra.local.cloud.environment import Machine
from infra.local.cloud.invocation import Buffered, Failed, Streamed
from infra.local.cloud.lambda_service import THROTTLED, LambdaService
from infra.local.cloud.limits import Limits
from infra.reach import ROOT

pytestmark = pytest.mark.infra

BUFFERED = """
    import os, sys, threading, time
    count = 0
    def tick():
        global count
        while True:
            count += 1
            time.sleep(0.01)
    threading.Thread(target=tick, daemon=True).start()
    calls = 0
    def handler(event, context):
        global calls
        calls += 1
        if "sleep" in event:
            time.sleep(event["sleep"])
        if "raise" in event:
            raise ValueError("a reason")
        if "exit" in event:
            os._exit(7)
        return {"calls": calls, "ticks": count, "pid": os.getpid(), "size": "x" * event.get("size", 0),
                "names": sorted(os.environ), "path": sys.path, "left": context.get_remaining_time_in_millis()}
"""
STREAMING = """
    import asyncio
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        if scope["path"] == "/fails":
            raise RuntimeError("secret words")
        if scope["path"] == "/stalls":
            await asyncio.sleep(60)
        await send({"type": "http.response.body", "body": b"two"})
"""


class NoAws(Aws):
    def session_of(self, role_arn: str, name: str) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "x"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    limits = Limits(buffered_bytes=100_000, environments=2)
    return Machine(tmp_path_factory.mktemp("machine"), "http://127.0.0.1:9", limits)


class Host:
    """Functions written out by a test, one service for all."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.service: LambdaService | None = None

    def function(
        self,
        code: str,
        handler: str = "code.handler",
        timeout: int = 5,
        concurrency: int | None = None,
        **environment: str,
    ) -> str:
        (self.folder / "code.py").write_text(textwrap.dedent(code))
        (self.folder / "code.py").rename(self.folder / "handlers.py")
        deployed = DeployedFunction(
            "f",
            self.folder,
            handler.replace("code.", "handlers."),
            {"OWN": "1", **environment},
            "arn",
            512,
            timeout,
            concurrency,
        )
        self.service = LambdaService({"F": deployed}, NoAws(""), self.machine)
        return "F"

    async def invoke(self, **event: Any) -> Any:
        assert self.service is not None
        await asyncio.sleep(0.2)  # an environment that is still busy after its last answer would not be taken
        return await asyncio.wait_for(self.service.invoke("F", json.dumps(event).encode()), 20)


@pytest.fixture
async def host(machine: Machine, tmp_path: Path) -> AsyncIterator[Host]:
    made = Host(machine, tmp_path)
    yield made
    if made.service is not None:
        await made.service.close()


def told(result: Any) -> dict[str, Any]:
    assert isinstance(result, Buffered), result
    answer: dict[str, Any] = json.loads(result.payload)
    return answer


async def test_an_environment_is_kept_warm_and_frozen(host: Host) -> None:
    host.function(BUFFERED)
    first = told(await host.invoke())
    await asyncio.sleep(0.5)
    second = told(await host.invoke())
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["pid"] == second["pid"]
    assert second["ticks"] - first["ticks"] < 25, "its threads ran while nothing was asked of it"


async def test_it_has_the_templates_variables_and_lambdas_own(host: Host) -> None:
    host.function(BUFFERED)
    answer = told(await host.invoke())
    ours = {name for name in answer["names"] if not name.startswith(("AWS_", "LAMBDA_", "_", "PYTHON"))}
    assert ours - {"PATH", "LANG", "TZ", "PWD", "SHLVL", "LC_CTYPE"} == {"OWN"}
    assert not [place for place in answer["path"] if str(ROOT) in place], "it can import what is not in its bundle"
    assert 0 < answer["left"] <= 5_000


async def test_what_a_function_raises_is_its_error(host: Host) -> None:
    host.function(BUFFERED)
    assert await host.invoke(**{"raise": 1}) == Failed("ValueError", "a reason")
    assert told(await host.invoke())["calls"] == 2


async def test_a_process_that_ends_is_replaced(host: Host) -> None:
    host.function(BUFFERED)
    assert (await host.invoke(exit=1)).kind == "Runtime.ExitError"
    assert told(await host.invoke())["calls"] == 1


async def test_a_function_over_its_time_is_killed(host: Host) -> None:
    host.function(BUFFERED, timeout=1)
    failed = await host.invoke(sleep=30)
    assert (failed.kind, failed.message) == ("Sandbox.Timedout", "Task timed out after 1.00 seconds")
    assert told(await host.invoke())["calls"] == 1


async def test_an_answer_has_a_limit(host: Host) -> None:
    host.function(BUFFERED)
    assert (await host.invoke(size=200_000)).kind == "Function.ResponseSizeTooLarge"
    assert told(await host.invoke())["calls"] == 1  # AWS's runtime ends itself over it


async def test_what_the_machine_cannot_hold_waits(host: Host) -> None:
    host.function(BUFFERED)
    pids = [told(result)["pid"] for result in await asyncio.gather(*(host.invoke(sleep=0.5) for _ in range(4)))]
    assert len(set(pids)) == 2
    assert len(pids) == 4


async def test_reserved_concurrency_refuses_what_is_beyond(host: Host) -> None:
    host.function(BUFFERED, concurrency=2)
    results = await asyncio.gather(*(host.invoke(sleep=1) for _ in range(4)))
    assert [result.kind for result in results if isinstance(result, Failed)] == [THROTTLED, THROTTLED]
    assert len({told(result)["pid"] for result in results if not isinstance(result, Failed)}) == 2


async def test_a_function_that_cannot_be_loaded_says_so(host: Host) -> None:
    host.function("import nothing_of_that_name")
    failed = await host.invoke()
    assert failed.kind == "Runtime.ImportModuleError"


def with_runtime(host: Host) -> None:
    """Our runtime in the bundle, as bundles have it."""
    from infra.bundling import build
    from infra.wheels import HERE

    shutil.copytree(build("embeddings", HERE, host.folder.parent / "build").folder, host.folder, dirs_exist_ok=True)
    host.function(
        STREAMING,
        "code.app",
        timeout=4,
        AWS_LAMBDA_EXEC_WRAPPER="/var/task/shared/lambda_runtime/bootstrap",
        TABLE_PREFIX="t",
    )


def request(path: str) -> dict[str, Any]:
    return {
        "resource": path, "path": path, "httpMethod": "GET", "headers": {}, "multiValueHeaders": {}, "body": None,
        "requestContext": {"identity": {"sourceIp": "127.0.0.1"}, "stage": "dev"}, "isBase64Encoded": False,
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": None,
    }  # fmt: skip


async def test_our_runtime_streams_and_says_how_it_ended(host: Host) -> None:
    with_runtime(host)
    for path, failure in (("/", None), ("/fails", "Function.RuntimeError"), ("/stalls", "Function.Timeout")):
        result = await host.invoke(**request(path))
        assert isinstance(result, Streamed)
        wire = b"".join([chunk async for chunk in result])
        prelude, _, body = wire.partition(bytes(8))
        assert json.loads(prelude)["statusCode"] == 200
        assert body.startswith(b"one")
        if failure is None:
            assert (body, result.failure) == (b"onetwo", None)
        else:
            assert result.failure is not None
            assert result.failure.kind.startswith("Function.")
            assert "secret words" not in result.failure.message
