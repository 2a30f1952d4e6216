"""The emulated cloud as a whole: AWS in a process beside this one, the API and the functions from here."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.cloud.api_gateway import ApiGateway
from infra.local.cloud.aws_process import REGION
from infra.local.cloud.deployment import Aws, Deployment, deploy
from infra.local.cloud.environment import Machine
from infra.local.cloud.event_source import EventSourceMapping
from infra.local.cloud.issuer import AUDIENCE, Issuer
from infra.local.cloud.lambda_service import LambdaService
from infra.local.cloud.limits import Limits
from infra.local.cloud.template import read_assembly
from infra.local.serving import bind, server
from infra.reach import ROOT
from shared.web.asgi import App, Receive, Scope, Send, send_json

log = logging.getLogger(__name__)

_START_SECONDS = 60.0
_ISSUER_PATH = "/_cloud/pool"


@dataclass(frozen=True)
class Cloud:
    """A deployment that is being served. `url` ends with the stage."""

    url: str
    aws: Aws
    deployment: Deployment
    service: LambdaService
    issuer: Issuer
    logs: Path

    @property
    def table_prefix(self) -> str:
        return next(iter(self.deployment.functions.values())).environment["TABLE_PREFIX"]

    def operate(self, module: str, *arguments: str) -> str:
        """Run one of the operator's commands as he would, with his AWS credentials; returns what it prints."""
        command = [sys.executable, "-m", module, *arguments, "--table-prefix", self.table_prefix]
        environment = {**os.environ, **self.aws.variables}
        ran = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return ran.stdout.strip()

    def plant(self) -> None:
        """What `make deploy` does after the deploy."""
        self.operate("infra.after_deploy", "--region", REGION)

    def client_key(self, label: str) -> str:
        return self.operate("infra.client_key", "create", "--label", label)


@asynccontextmanager
async def emulated_cloud(
    assembly: Path, folder: Path, *, port: int = 0, limits: Limits | None = None
) -> AsyncIterator[Cloud]:
    """Deploy what was synthesized into `assembly` and serve it; `folder` holds the interpreter and the logs."""
    chosen = limits or Limits()
    listener = bind("127.0.0.1", port, "--port")
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    issuer = Issuer(address + _ISSUER_PATH)
    stand_ins: Mapping[tuple[str, str], str] = {
        ("AWS::Cognito::UserPool", "ProviderURL"): issuer.url,
        ("AWS::Cognito::UserPoolClient", "Ref"): AUDIENCE,
    }
    async with _aws() as aws:
        machine = await asyncio.to_thread(Machine, folder, aws.endpoint, chosen)
        deployment = await asyncio.to_thread(deploy, read_assembly(assembly), aws, stand_ins)
        service = LambdaService(deployment.functions, aws, machine)
        gateway = ApiGateway(deployment, service.invoke, issuer.takes, chosen)
        serving = server(_beside(issuer, gateway))
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        feeding = [
            asyncio.create_task(EventSourceMapping(each, aws, service.invoke).run()) for each in deployment.streams
        ]
        try:
            yield Cloud(f"{address}/{deployment.stage}", aws, deployment, service, issuer, machine.logs)
        finally:
            for each in feeding:
                each.cancel()
            for ended in await asyncio.gather(*feeding, return_exceptions=True):
                if not isinstance(ended, asyncio.CancelledError):
                    log.error("an event source ended by itself: %r", ended)
            serving.should_exit = True
            await task
            await service.close()


def _beside(issuer: Issuer, gateway: App) -> App:
    """The pool's documents under their path, the API under all others."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if not path.startswith(_ISSUER_PATH):
            await gateway(scope, receive, send)
            return
        document = issuer.document(path.removeprefix(_ISSUER_PATH))
        await send_json(send, 200 if document else 404, document or b"{}", [])

    return app


@asynccontextmanager
async def _aws() -> AsyncIterator[Aws]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.local.cloud.aws_process", "--leash"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this process; the leash ends the others
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        found = re.fullmatch(r"aws ready on (\S+)\n", line.decode())
        if found is None:
            raise RuntimeError("the emulated AWS did not start; what it wrote says why")
        yield Aws(found[1])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
