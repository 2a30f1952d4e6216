"""The pinned wheels of a set of packages for a machine that is not this one: chosen, fetched, checked, unpacked."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from infra.reach import ROOT

_LOCK = ROOT / "requirements" / "run.txt"
_CACHE = ROOT / "build" / "wheels"
# AL2023, under the managed runtime, has glibc 2.34
_PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
_AWS_SERVICES = ("dynamodb", "kms")
# for type checkers and for building, not for running
_NOT_RUN = (".pyi", ".pyx", ".pxd", ".c", ".h")


class Target(NamedTuple):
    """Where a bundle runs. `machine` None is this machine, with the interpreter that runs this."""

    python: str
    machine: str | None

    @property
    def name(self) -> str:
        return f"python{self.python}-{self.machine or 'here'}"

    def environment(self) -> dict[str, str]:
        """What the markers of requirements are read against."""
        told = {key: str(value) for key, value in default_environment().items()}
        if self.machine:
            version = {"python_version": self.python, "python_full_version": f"{self.python}.0"}
            told |= {**version, "platform_machine": self.machine, "sys_platform": "linux", "os_name": "posix"}
        return told | {"extra": ""}


LAMBDA = Target("3.13", "aarch64")
HERE = Target(f"{sys.version_info.major}.{sys.version_info.minor}", None)


class Pin(NamedTuple):
    name: str
    requirement: Requirement
    hashes: tuple[str, ...]


class NotPinned(Exception):
    """A package is imported that requirements/run.txt does not pin."""


def wheels_for(packages: Iterable[str], target: Target) -> list[Path]:
    """The wheels that importing `packages` needs, with what they require themselves, by name."""
    pins = {pin.name: pin for pin in _pins(target)}
    distributions = packages_distributions()
    wanted: set[str] = set()
    for package in packages:
        if package not in distributions:
            raise NotPinned(f"{package} is imported and not installed; add it to requirements/run.in")
        wanted.add(canonicalize_name(distributions[package][0]))
    wheels: dict[str, Path] = {}
    while missing := sorted(wanted - wheels.keys()):
        if unknown := [name for name in missing if name not in pins]:
            raise NotPinned(f"{', '.join(unknown)}: not in requirements/run.txt; add it to run.in and `make lock`")
        wheels |= _fetch([pins[name] for name in missing], target)
        for name in missing:
            wanted |= set(_requires(wheels[name], target))
    return [wheels[name] for name in sorted(wheels)]


def unpack(wheel: Path, into: Path) -> None:
    """The wheel's packages as they are imported, without what only type checkers and installers read."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            place = _place(info.filename)
            if place is None or info.is_dir():
                continue
            path = into / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(info))


def _place(name: str) -> str | None:
    """Where a wheel's member belongs in the bundle; None when it does not."""
    first, _, rest = name.partition("/")
    if first.endswith(".data"):
        kind, _, name = rest.partition("/")
        return name if kind in ("purelib", "platlib") else None
    if name.endswith(_NOT_RUN) or name.endswith(".dist-info/RECORD") or ".." in Path(name).parts:
        return None
    if match := re.match(r"botocore/data/([^/]+)/", name):
        return name if match[1] in _AWS_SERVICES and "examples" not in name else None
    return name


def _pins(target: Target) -> Iterator[Pin]:
    """The lock's pins that hold for the target."""
    environment = target.environment()
    for line in _LOCK.read_text().replace("\\\n", " ").splitlines():
        if not line[:1].isalnum():  # a comment
            continue
        text, *hashes = line.split(" --hash=")
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield Pin(canonicalize_name(requirement.name), requirement, tuple(each.strip() for each in hashes))


def _fetch(pins: list[Pin], target: Target) -> dict[str, Path]:
    """Each pin's wheel, from the cache or by pip; its hash is one of the pin's."""
    cache = _CACHE / target.name
    cache.mkdir(parents=True, exist_ok=True)
    found = _cached(pins, cache)
    if missing := [pin for pin in pins if pin.name not in found]:
        _download(missing, target, cache)
        found = _cached(pins, cache)
    for pin in pins:
        if hashlib.sha256(found[pin.name].read_bytes()).hexdigest() not in {each[7:] for each in pin.hashes}:
            raise NotPinned(f"{found[pin.name].name} is not the wheel that requirements/run.txt pins; delete {cache}")
    return found


def _cached(pins: list[Pin], cache: Path) -> dict[str, Path]:
    wanted = {(pin.name, next(iter(pin.requirement.specifier)).version): pin for pin in pins}
    found: dict[str, Path] = {}
    for wheel in sorted(cache.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        if (name, str(version)) in wanted:
            found[name] = wheel
    return found


def _download(pins: list[Pin], target: Target, cache: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:"]
    if target.machine:
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [word for platform in _PLATFORMS for word in ("--platform", f"{platform}_{target.machine}")]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text(
            "".join(
                f"{pin.name}{pin.requirement.specifier} {' '.join(f'--hash={each}' for each in pin.hashes)}\n"
                for pin in pins
            )
        )
        subprocess.run([*command, "--dest", folder, "--requirement", wanted], check=True)
        for wheel in Path(folder).glob("*.whl"):
            shutil.move(wheel, cache / wheel.name)


def _requires(wheel: Path, target: Target) -> Iterator[str]:
    """What the wheel's own metadata requires on the target, without extras."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(metadata).decode())
    environment = target.environment()
    for text in headers.get_all("Requires-Dist", []):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield canonicalize_name(requirement.name)
