"""Lambda: as many environments of each function as are needed at once, started cold and kept warm."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from infra.local.cloud.deployment import Aws, DeployedFunction
from infra.local.cloud.environment import Environment, Machine
from infra.local.cloud.invocation import Failed, Invocation, Result

log = logging.getLogger(__name__)

THROTTLED = "TooManyRequestsException"
_LOOK_SECONDS = 0.01


class LambdaService:
    """`functions` by logical id."""

    def __init__(self, functions: Mapping[str, DeployedFunction], aws: Aws, machine: Machine) -> None:
        self._functions = functions
        self._aws = aws
        self._machine = machine
        self._environments: dict[str, list[Environment]] = {name: [] for name in functions}
        self._starting: dict[str, int] = dict.fromkeys(functions, 0)
        self._working: set[asyncio.Task[None]] = set()

    def environments(self, name: str) -> list[Environment]:
        """Those that a function has now."""
        return [each for each in self._environments[name] if not each.dead]

    async def invoke(self, name: str, event: bytes) -> Result:
        """The answer as soon as it begins; what the function does after it goes on by itself."""
        function = self._functions[name]
        environment = self._idle(name) or await self._another(name)
        if isinstance(environment, Failed):
            return environment
        environment.idle = False
        invocation = Invocation(event, function.timeout_seconds)
        task = asyncio.create_task(environment.invoke(invocation))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return await asyncio.shield(invocation.result)

    def _idle(self, name: str) -> Environment | None:
        return next((each for each in self._environments[name] if each.idle and not each.dead), None)

    async def _another(self, name: str) -> Environment | Failed:
        """A fresh environment. Where the machine holds no more, one that is done is waited for, since Lambda would
        hold a thousand; a function's reserved concurrency is the platform's own limit, and refuses."""
        function, most = self._functions[name], self._machine.limits.environments
        patience = time.monotonic() + self._machine.limits.init_seconds
        while self._count(name) >= (function.concurrency or most):
            if function.concurrency or time.monotonic() > patience:
                return Failed(THROTTLED, "Rate Exceeded.")
            await asyncio.sleep(_LOOK_SECONDS)
            if freed := self._idle(name):
                return freed
        return await self._start(name)

    def _count(self, name: str) -> int:
        return len(self.environments(name)) + self._starting[name]

    async def warm(self, name: str) -> Environment:
        """A fresh environment that waits for its first invocation. Raises RuntimeError."""
        started = await self._start(name)
        if isinstance(started, Failed):
            raise RuntimeError(f"{self._functions[name].name}: {started.kind} {started.message}")
        return started

    async def _start(self, name: str) -> Environment | Failed:
        function, environments = self._functions[name], self._environments[name]
        self._starting[name] += 1
        try:
            for ended in [each for each in environments if each.dead]:
                environments.remove(ended)
                await ended.kill()
            credentials = await asyncio.to_thread(self._aws.session_of, function.role_arn, function.name)
            environment = Environment(self._machine, function)
            begun = time.monotonic()
            failure = await environment.start(credentials)
            if failure is not None:
                log.warning("%s: cannot be started: %s %s", function.name, failure.kind, failure.message)
                return failure
            log.info("%s: cold start %d ms", function.name, round((time.monotonic() - begun) * 1_000))
            environments.append(environment)
            return environment
        finally:
            self._starting[name] -= 1

    async def close(self) -> None:
        for environments in self._environments.values():
            for environment in environments:
                await environment.kill()
        await asyncio.gather(*self._working, return_exceptions=True)
