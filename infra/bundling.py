"""Each function's bundle, without Docker: the code in its reach, the wheels that code imports, compiled, reproducible.

`python -m infra.bundling [function …]` builds and prints the sizes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from infra.reach import ROOT, files_of, reach_of
from infra.routes import ROUTES
from infra.wheels import HERE, LAMBDA, Target, unpack, wheels_for

BUILD = ROOT / "build"
_TASK_ROOT = "/var/task"  # where Lambda unpacks a bundle: what compiled files call their sources


class Bundle(NamedTuple):
    """A built bundle; `digest` is over every path, mode and byte in it."""

    function: str
    folder: Path
    digest: str

    @property
    def size_bytes(self) -> int:
        """Unzipped; Lambda takes 250 MB."""
        return sum(path.stat().st_size for path in _files(self.folder))


def build(function: str, target: Target = LAMBDA, build_folder: Path = BUILD) -> Bundle:
    """Build one function's bundle, anew. The parts that it shares with others are kept beside it."""
    reach = reach_of(function)
    parts = build_folder / "parts" / f"{target.name}-{_compiler_version(target)}"
    folder = build_folder / "bundles" / target.name / function
    shutil.rmtree(folder, ignore_errors=True)
    for wheel in wheels_for(reach.packages, target):
        _link(_unpacked(wheel, parts, target), folder)
    own = _own_code(parts, target, reach.modules)
    _link(own, folder, only=files_of(reach.modules))
    return Bundle(function, folder, digest_of(folder))


def digest_of(folder: Path) -> str:
    """The sha256 over every file's path, whether it is executable, and its bytes."""
    whole = hashlib.sha256()
    for path in _files(folder):
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.relative_to(folder)}\0{executable:d}\0{content}\n".encode())
    return whole.hexdigest()


def _unpacked(wheel: Path, parts: Path, target: Target) -> Path:
    part = parts / wheel.stem
    if not part.exists():
        fresh = _fresh(part)
        unpack(wheel, fresh)
        _finish(fresh, part, target)
    return part


def _own_code(parts: Path, target: Target, modules: tuple[str, ...]) -> Path:
    """Our files in reach, compiled; kept by their content."""
    files = files_of(modules)
    content = hashlib.sha256()
    for file in files:
        content.update(f"{file}\0".encode() + hashlib.sha256((ROOT / file).read_bytes()).digest())
    part = parts / f"own-{content.hexdigest()[:16]}"
    if not part.exists():
        fresh = _fresh(part)
        for file in files:
            (fresh / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, fresh / file)
        _finish(fresh, part, target)
    return part


def _fresh(part: Path) -> Path:
    fresh = part.with_name(f"{part.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    return fresh


def _finish(fresh: Path, part: Path, target: Target) -> None:
    """Compile, settle the modes, and let it be seen at once and whole."""
    if compiler := _compiler(target):
        _compile(fresh, compiler)
    for path in _files(fresh):
        path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    fresh.rename(part)


def _compile(folder: Path, compiler: str) -> None:
    """Compiled files that are never checked against a time: CDK dates every file 1980, and they would be stale.

    The seed fixes the order of constant sets, and the folder's own name is left out, so that equal sources give equal
    bytes.
    """
    command = [compiler, "-I", "-m", "compileall", "-q", "-s", str(folder), "-p", _TASK_ROOT]
    command += ["--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


def _compiler(target: Target) -> str | None:
    """An interpreter of the target's version, whose compiled files it can read; None where there is none."""
    if target == HERE or target.python == HERE.python:
        return sys.executable
    return _interpreter(target.python)


@cache
def _interpreter(version: str) -> str | None:
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for candidate in (os.environ.get("BUNDLE_PYTHON"), shutil.which(f"python{version}"), *map(str, installed)):
        if candidate and _version_of(candidate).startswith(f"{version}."):
            return candidate
    return None


@cache
def _version_of(interpreter: str) -> str:
    command = [interpreter, "-I", "-c", "import platform; print(platform.python_version())"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # a shim that leads nowhere
        return ""


def _compiler_version(target: Target) -> str:
    compiler = _compiler(target)
    return _version_of(compiler) if compiler else "not-compiled"


def _link(part: Path, folder: Path, only: Iterable[Path] | None = None) -> None:
    """Put a part's files into the bundle, without copying where the disk can."""
    sources = _files(part) if only is None else _with_compiled(part, only)
    for source in sources:
        path = folder / source.relative_to(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, path)
        except OSError:
            shutil.copy(source, path)


def _with_compiled(part: Path, only: Iterable[Path]) -> Iterator[Path]:
    for file in only:
        yield part / file
        yield from sorted((part / file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def functions() -> tuple[str, ...]:
    """Every function of ROUTES once, in its order."""
    return tuple(dict.fromkeys(route.function for route in ROUTES))


def _sizes(bundle: Bundle) -> str:
    files = _files(bundle.folder)
    with zipfile.ZipFile(BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(bundle.folder))
        zipped = sum(info.compress_size for info in archive.infolist())
    return (
        f"{bundle.function:24} {len(files):5} files {bundle.size_bytes / 1e6:6.1f} MB {zipped / 1e6:6.2f} MB zipped"
        f"  {bundle.digest[:12]}"
    )


def main() -> int:
    for function in sys.argv[1:] or functions():
        sys.stdout.write(_sizes(build(function)) + "\n")
        sys.stdout.flush()
    if _compiler(LAMBDA) is None:
        sys.stdout.write(f"no python{LAMBDA.python} here: not compiled, cold starts take longer (BUNDLE_PYTHON=…)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
