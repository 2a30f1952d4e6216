"""`make run`: the API in this process, the admin API and the embedded AWS each in one of their own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from infra.local.freshness import FreshConfiguration
from infra.local.serving import PortTaken, bind, server
from shared.settings import Settings, SettingsError, read_settings
from shared.web.admin_access import open_admin_problem
from shared.web.asgi import App
from shared.web.log_lines import log_to_stderr

READY = """
Serverless Proxy is ready.

  API        http://{host}:{api_port}/v1
  Dashboard  http://{host}:{admin_port}/proxy-dashboard
  Admin API  http://{host}:{admin_port}/api/admin
  Data       {data_dir}

  curl http://{host}:{api_port}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{"model": "demo", "stream": true, "messages": [{{"role": "user", "content": "Hello"}}]}}'
"""
_START_SECONDS = 60.0
_STOP_SECONDS = 8.0


class ChildFailed(Exception):
    """A process that the gateway needs did not start; its own line says why."""


class Child:
    """A process on a leash: it ends with this one, and is started again when it ends by itself."""

    def __init__(self, module: str, *arguments: str, environment: dict[str, str]) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Returns when it listens; raises ChildFailed."""
        await self._spawn()
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not await _listens(host, port):
            if self._process is None or self._process.returncode is not None:
                raise ChildFailed
            if asyncio.get_running_loop().time() > deadline:
                raise ChildFailed(f"{self._command[2]} did not start within {_START_SECONDS:g} s")
            await asyncio.sleep(0.05)
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        if self._keeper:
            self._keeper.cancel()
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for this process; the leash ends the others
        )

    async def _keep(self) -> None:
        while self._process is not None:
            status = await self._process.wait()
            print(f"{self._command[2]} ended with {status}; starting it again", file=sys.stderr)  # noqa: T201
            await asyncio.sleep(0.5)
            await self._spawn()


async def _listens(host: str, port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _serve(chosen: Settings) -> None:
    api = bind(chosen.host, chosen.api_port, "API_PORT")
    admin_port = chosen.admin_port or _free_port()
    os.environ["ADMIN_PORT"] = str(admin_port)
    os.environ["API_PORT"] = str(api.getsockname()[1])  # for the dashboard, which tells it and calls it
    async with AsyncExitStack() as children:
        starting = []
        if chosen.dynamodb_url is None:
            port = _free_port()
            os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = f"http://127.0.0.1:{port}"
            os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
            os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
            arguments = ("--leash", "--port", str(port), "--data-dir", str(chosen.data_dir))
            store = Child("infra.local.store_process", *arguments, environment=dict(os.environ))
            children.push_async_callback(store.stop)
            starting.append(store.start("127.0.0.1", port))
        admin = Child("infra.local.admin", environment=dict(os.environ))
        children.push_async_callback(admin.stop)
        starting.append(admin.start(chosen.host, admin_port))
        await asyncio.gather(asyncio.to_thread(_load_functions), *starting)
        from infra.local.router import Router
        from shared.web.app import send_error
        from shared.web.cors import WithCors
        from shared.web.wiring import catalog_cache, config_store, key_cache

        def forget() -> None:
            catalog_cache().invalidate()
            key_cache().invalidate()

        await asyncio.to_thread(config_store().plant_seeds)
        app: App = Router(("client", "public"), send_error)
        if chosen.cors_origins:
            app = WithCors(app, chosen.cors_origins)
        if chosen.dynamodb_url is None:
            app = FreshConfiguration(app, chosen.data_dir / "tables", forget)
        names = {"host": chosen.host, "api_port": api.getsockname()[1], "admin_port": admin_port}
        print(READY.format(**names, data_dir=chosen.data_dir), flush=True)  # noqa: T201
        await server(app).serve(sockets=[api])


def _load_functions() -> None:
    """Import what clients call, while the other processes start; only now, for wiring reads the environment once.

    What is public besides waits until it is asked: `admin_session` alone brings FastAPI's 20 MB.
    """
    from infra.local.router import Router
    from shared.web.app import send_error

    Router(("client",), send_error).preload()


def load_env_file(path: Path) -> None:
    """Variables of `.env`, for those that the environment does not set."""
    from dotenv import load_dotenv

    if path.is_file():
        load_dotenv(path, override=False)


def main() -> int:
    load_env_file(Path(".env"))
    try:
        chosen = read_settings(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    if problem := open_admin_problem(chosen):
        print(problem, file=sys.stderr)  # noqa: T201
        return 2
    log_to_stderr(chosen.log_level, as_json=chosen.log_format == "json")
    try:
        import uvloop

        uvloop.run(_serve(chosen))
    except (PortTaken, ChildFailed) as error:
        if str(error):
            print(error, file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
