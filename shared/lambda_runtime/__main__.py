"""`python -m shared.lambda_runtime functions.chat_completions.app:app`: load an app, serve it on the Runtime API.

Without an argument the app is what the function's handler names (`_HANDLER`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from importlib import import_module

from shared.garbage import loading
from shared.lambda_runtime.failure import init_failure
from shared.lambda_runtime.loop import run
from shared.lambda_runtime.runtime_api import RuntimeApi
from shared.settings import read_settings
from shared.web.asgi import App
from shared.web.log_lines import log_to_stderr

log = logging.getLogger("shared.lambda_runtime")


def load(name: str) -> App:
    """The app of `module:attribute`; a dot will do for the colon, as in the handlers of buffered functions."""
    module, _, attribute = name.rpartition(":" if ":" in name else ".")
    app: App = getattr(import_module(module), attribute)
    return app


def main() -> int:
    address = os.environ["AWS_LAMBDA_RUNTIME_API"]
    try:
        chosen = read_settings(os.environ)
        log_to_stderr(chosen.log_level, as_json=chosen.log_format == "json")
        with loading():
            app = load(sys.argv[1] if len(sys.argv) > 1 else os.environ["_HANDLER"])
    except (Exception, SystemExit) as error:  # the outermost handler: Lambda must be told why there is no function
        log.exception("the app cannot be loaded")
        asyncio.run(RuntimeApi(address).report_init(init_failure(error)))
        return 1
    try:
        asyncio.run(_serve(address, app))
    except asyncio.CancelledError:
        return 0
    except Exception:  # the outermost handler: a dead process is started anew by Lambda, and the log says why it died
        log.exception("the runtime ends")
        return 1
    return 0


async def _serve(address: str, app: App) -> None:
    """Serve until Lambda shuts the environment down."""
    work = asyncio.create_task(
        run(
            address,
            app,
            pollers=int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY") or 1),
            snap_start=os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
        )
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    await work


if __name__ == "__main__":
    sys.exit(main())
