"""Synthesize the stack with bundles that run on this machine: `python -m infra.local.cloud.assembly OUT name=value …`.

A process of its own: CDK's Node and its types stay out of the emulated cloud's memory.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infra.reach import ROOT


def synthesize(out: Path, context: dict[str, str]) -> None:
    """Raises subprocess.CalledProcessError; what is wrong with the context stands on standard error."""
    words = [f"{name}={value}" for name, value in context.items()]
    subprocess.run([sys.executable, "-m", __spec__.name, str(out), *words], cwd=ROOT, check=True)


def main() -> int:
    from infra.app import gateway_app
    from infra.context import ContextError
    from infra.wheels import HERE

    out, *words = sys.argv[1:]
    try:
        gateway_app(HERE, dict(word.split("=", 1) for word in words), Path(out)).synth()
    except ContextError as problems:
        print(problems, file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
