"""`make cloud`: the stack synthesized, deployed to the emulated cloud and served, until Ctrl-C.

    python -m infra.local.cloud --port 8003 stage=dev timeout=30

The words are context values, as `cdk synth -c` takes them. What it prints can be read by a shell: base URLs, a client
key, an administrator's token.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.local.cloud.assembly import synthesize
from infra.local.cloud.cloud import emulated_cloud
from infra.local.serving import PortTaken

# whatever backends there are, they are on this machine
DEFAULTS = {"private_upstreams": "allowed"}

READY = """
The gateway runs in the emulated cloud.

GATEWAY_URL={url}
ADMIN_URL={url}
GATEWAY_KEY={key}
ADMIN_TOKEN={token}
AWS_ENDPOINT_URL={aws}
LOGS={logs}
"""


async def _serve(assembly: Path, folder: Path, port: int) -> None:
    async with emulated_cloud(assembly, folder, port=port) as cloud:
        await asyncio.to_thread(cloud.plant)
        key = await asyncio.to_thread(cloud.client_key, "first")
        token = cloud.issuer.token("administrator@example.org")
        print(READY.format(url=cloud.url, key=key, token=token, aws=cloud.aws.endpoint, logs=cloud.logs), flush=True)  # noqa: T201
        await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8003)
    parser.add_argument("--assembly", type=Path, help="what a synth has left there; default: synthesize")
    parser.add_argument("context", nargs="*")
    told = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for noisy in ("botocore", "httpx", "uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="gateway-cloud-") as name:
        folder = Path(name)
        assembly = told.assembly or folder / "assembly"
        try:
            if told.assembly is None:
                synthesize(assembly, DEFAULTS | dict(word.split("=", 1) for word in told.context))
            asyncio.run(_serve(assembly, folder / "machine", told.port))
        except subprocess.CalledProcessError as failure:
            return failure.returncode
        except PortTaken as taken:
            print(taken, file=sys.stderr)  # noqa: T201
            return 2
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
