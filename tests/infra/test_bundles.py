"""Every bundle: alone it can be imported and reach AWS's clients, and it is the same wherever it is built."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from infra.bundling import Bundle, build, functions
from infra.reach import entries, reach_of, streams
from infra.wheels import HERE, LAMBDA

pytestmark = pytest.mark.infra

# Run with the standard library and the bundle on the path, and nothing else.
_ALONE = """
import importlib, os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
sys.path[:] = [str(folder), *(each for each in sys.path if "-packages" not in each)]
for path in sorted(folder.glob("shared/**/*.py")) + sorted(folder.glob("functions/**/*.py")):
    name = ".".join(path.relative_to(folder).with_suffix("").parts)
    if not name.endswith(".buffered") or "GATEWAY_APP" in os.environ:
        importlib.import_module(name.removesuffix(".__init__"))
import botocore.session
from shared.web.wiring import tables
tables().connect()
botocore.session.get_session().create_client("kms", region_name="us-east-1")
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None) or ""
    assert file.startswith(str(folder)) or "-packages" not in file, file
print("alone")
"""
_ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_EC2_METADATA_DISABLED": "true",
    "KMS_KEY_ID": "alias/x",
}


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    """Bundles for this machine and interpreter."""
    folder = tmp_path_factory.mktemp("bundles")
    return cache(lambda function: build(function, HERE, folder))


@pytest.mark.parametrize("function", functions())
def test_a_bundle_can_be_imported_alone(here: Callable[[str], Bundle], function: str) -> None:
    folder = here(function).folder
    environment = dict(_ENVIRONMENT)
    if not streams(function):
        environment["GATEWAY_APP"] = f"functions.{function}.app"
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _ALONE, str(folder)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (ran.stdout.strip(), ran.returncode) == ("alone", 0), ran.stderr[-3000:]


@pytest.mark.parametrize("function", functions())
def test_a_bundle_has_no_more_than_the_function_reaches(here: Callable[[str], Bundle], function: str) -> None:
    folder = here(function).folder
    own = {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for room in ("shared", "functions")
        for path in folder.glob(f"{room}/**/*.py")
    }
    assert own == set(reach_of(function).modules)
    assert set(entries(function)) <= own
    assert {path.name for path in (folder / "functions").iterdir() if path.name[0] != "_"} - {"__init__.py"} == {
        function
    }
    # what verifies administrators' tokens, and nothing else, needs cryptography
    assert (folder / "cryptography").exists() == ("shared.web.admin_oidc" in own) == function.startswith("admin_")
    # what counts tokens has the vocabularies beside it
    vocabularies = {path.name for path in (folder / "shared/gateway").glob("tokenizer/*.ranks")}
    counts = "shared.gateway.tokenizer.encoding" in own
    assert vocabularies == ({"cl100k_base.ranks", "o200k_base.ranks"} if counts else set())
    assert {path.name for path in (folder / "botocore" / "data").iterdir() if path.is_dir()} == {"dynamodb", "kms"}


def test_the_rollups_bundle_can_be_imported_alone_and_is_small(here: Callable[[str], Bundle]) -> None:
    bundle = here("usage_rollup")
    alone = f"import sys; sys.path[:] = [{str(bundle.folder)!r}, *(p for p in sys.path if '-packages' not in p)]; "
    alone += "from functions.usage_rollup import app; app._store()._tables.connect(); print('alone')"
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", alone]
    ran = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert (ran.stdout.strip(), ran.returncode) == ("alone", 0), ran.stderr[-3000:]
    assert set(reach_of("usage_rollup").packages) == {"botocore", "orjson", "pynamodb"}


def test_client_functions_carry_no_framework() -> None:
    for function in functions():
        if not function.startswith("admin_"):
            assert not {"fastapi", "pydantic", "starlette", "boto3", "yaml"} & set(reach_of(function).packages)


def test_two_builds_for_lambda_are_equal_byte_for_byte(tmp_path: Path) -> None:
    first, second = (build("chat_completions", LAMBDA, tmp_path / name) for name in ("one", "two"))
    assert first.digest == second.digest
    assert first.folder != second.folder


def test_a_bundle_for_lambda_has_the_wrapper_and_arm_wheels(tmp_path: Path) -> None:
    folder = build("chat_completions", LAMBDA, tmp_path).folder
    assert (folder / "shared/lambda_runtime/bootstrap").stat().st_mode & 0o777 == 0o755
    libraries = list(folder.rglob("*.so"))
    assert libraries
    for library in libraries:
        assert library.read_bytes()[18:20] == b"\xb7\x00", library  # ELF's number of AArch64


def test_compiled_files_are_never_checked_against_a_time(here: Callable[[str], Bundle]) -> None:
    compiled = list(here("health").folder.rglob("*.pyc"))
    assert compiled
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\x00\x00\x00"}


def test_the_digest_sees_bytes_names_and_modes(tmp_path: Path) -> None:
    from infra.bundling import digest_of

    (tmp_path / "a.py").write_text("1")
    digests = [digest_of(tmp_path)]
    (tmp_path / "a.py").write_text("2")
    digests.append(digest_of(tmp_path))
    (tmp_path / "a.py").chmod(0o755)
    digests.append(digest_of(tmp_path))
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    digests.append(digest_of(tmp_path))
    assert len(set(digests)) == 4
