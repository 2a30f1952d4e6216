"""An execution environment: the function's bundle in a process of its own, frozen while nothing is asked of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shutil
import signal
import sys
import venv
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import BinaryIO

from infra.local.cloud.aws_process import REGION
from infra.local.cloud.deployment import DeployedFunction
from infra.local.cloud.invocation import Failed, Invocation
from infra.local.cloud.limits import Limits
from infra.local.cloud.runtime_api import RuntimeApi

log = logging.getLogger(__name__)

_TASK_ROOT = "/var/task"
_MANAGED = ("awslambdaric", "snapshot-restore-py", "simplejson")  # AWS's own runtime client, and what it requires


class Machine:
    """What stands under every environment: an interpreter without packages, AWS's runtime, a folder for logs."""

    def __init__(self, folder: Path, endpoint: str, limits: Limits) -> None:
        """`endpoint` is that of the emulated AWS."""
        self.endpoint = endpoint
        self.limits = limits
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True)
        venv.create(folder / "lang", with_pip=False, symlinks=True)
        self.python = folder / "lang" / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.runtime = folder / "runtime"
        for name in _MANAGED:
            _copy(name, self.runtime)

    def command(self, function: DeployedFunction) -> list[str]:
        """As Lambda starts the managed runtime, behind the wrapper where the function has one."""
        command = [str(self.python), "-m", "awslambdaric", function.handler]
        wrapper = function.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
        if wrapper:
            command.insert(0, wrapper.replace(_TASK_ROOT, str(function.bundle)))
        if leash := shutil.which("setpriv"):  # a killed emulator must leave no functions behind
            command = [leash, "--pdeathsig", "KILL", "--", *command]
        return command

    def environment(self, function: DeployedFunction, address: str, credentials: Mapping[str, str]) -> dict[str, str]:
        """The template's variables and Lambda's own; the address of the emulated AWS is all that is ours."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task is read-only
            "PYTHONPATH": f"{function.bundle}:{self.runtime}",
            "LAMBDA_TASK_ROOT": str(function.bundle),
            "LAMBDA_RUNTIME_DIR": str(self.runtime),
            "_HANDLER": function.handler,
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            **credentials,
            **function.environment,
        }


class Environment:
    """One invocation at a time. `idle` while it waits for one; `dead` when its process has ended."""

    def __init__(self, machine: Machine, function: DeployedFunction) -> None:
        self._machine = machine
        self._function = function
        self._api = RuntimeApi(function.arn, machine.limits, self._next, self._fail_init)
        self._offered: asyncio.Queue[Invocation] = asyncio.Queue(1)
        self._waiting = asyncio.Event()
        self._current: Invocation | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._broken: Failed | None = None
        self.dead = False
        self.idle = False

    async def start(self, credentials: Mapping[str, str]) -> Failed | None:
        """Returns when the function has asked for its first invocation, or what kept it from that."""
        await self._api.start()
        function, machine = self._function, self._machine
        with open(machine.logs / f"{function.name}.log", "ab") as sink:  # noqa: ASYNC230 - a local file
            self._process = await self._spawn(sink, machine.environment(function, self._api.address, credentials))
        self._watch = asyncio.create_task(self._watch_process(self._process))
        if await self._ready_within(machine.limits.init_seconds) and not self.dead:
            return None
        failure = self._broken or self._ended()
        await self.kill()
        return failure or Failed("Sandbox.Timedout", f"no function after {machine.limits.init_seconds:g} s")

    async def _spawn(self, sink: BinaryIO, environment: dict[str, str]) -> asyncio.subprocess.Process:
        function = self._function
        return await asyncio.create_subprocess_exec(
            *self._machine.command(function),
            cwd=function.bundle,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )

    def cpu_seconds(self) -> float:
        """What its process has used since it was started."""
        if self._process is None:
            return 0.0
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        found = (
            re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self._process.pid}/status").read_text())
            if self._process
            else None
        )
        return int(found[1]) / 1024 if found else 0.0

    async def invoke(self, invocation: Invocation) -> None:
        """Returns when the environment is ready for another invocation, or dead; the answer is the invocation's."""
        self.idle = False
        self._waiting.clear()
        self._current = invocation
        self._signal(signal.SIGCONT)
        await self._offered.put(invocation)
        if not await self._ready_within(self._function.timeout_seconds):
            log.warning("%s: timed out after %d s", self._function.name, self._function.timeout_seconds)
            message = f"Task timed out after {self._function.timeout_seconds:.2f} seconds"
            await invocation.break_off(Failed("Sandbox.Timedout", message))
            await self.kill()
        self._current = None

    async def _ready_within(self, seconds: float) -> bool:
        """Whether the process has asked for work by then, or has ended."""
        waiting = asyncio.create_task(self._waiting.wait())
        watched = {waiting, self._watch} if self._watch else {waiting}
        try:
            done, _ = await asyncio.wait(watched, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        return bool(done)

    async def _next(self) -> Invocation:
        """The runtime asks for work: it has done what it had to do after its last answer."""
        self.idle = True
        self._waiting.set()
        if self._offered.empty():
            self._signal(signal.SIGSTOP)
        return await self._offered.get()

    def _ended(self) -> Failed | None:
        """What became of the process, if it has ended."""
        if self._process is None or self._process.returncode is None:
            return None
        return Failed("Runtime.ExitError", f"Runtime exited with exit status {self._process.returncode}")

    def _fail_init(self, failure: Failed) -> None:
        self._broken = failure

    async def _watch_process(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self.dead, self.idle = True, False
        failure = self._ended()
        if self._current is not None and failure is not None:
            await self._current.break_off(failure)

    async def kill(self) -> None:
        """End the process, frozen or not, and its Runtime API."""
        self._signal(signal.SIGKILL)
        if self._watch is not None:
            await self._watch
        await self._api.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and is about to be noticed
                os.killpg(self._process.pid, number)


def _copy(name: str, into: Path) -> None:
    """A distribution's files from where this process has them."""
    found = distribution(name)
    for file in found.files or ():
        if ".." not in file.parts:
            target = into / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(found.locate_file(file)), target)
