from __future__ import annotations

import asyncio
import multiprocessing
import stat
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from shared.errors import GatewayError, InvalidRequest, StoreUnavailable
from shared.store.seal import MAX_KEY_BYTES, KeyFileSealer, Kind, KmsSealer, RevealedKeys, SealBroken, Sealer

SECRET = "sk-proj-ü-7f3a"


@pytest.fixture
def kms_key_id() -> Iterator[str]:
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1").create_key()["KeyMetadata"]["KeyId"]


@pytest.fixture(params=["kms", "key file"])
def sealer(request: pytest.FixtureRequest, tmp_path: Path) -> Sealer:
    if request.param == "kms":
        return KmsSealer(request.getfixturevalue("kms_key_id"), region="eu-central-1")
    return KeyFileSealer(tmp_path / "data" / "sealing.key")


def test_a_key_is_revealed_as_it_was_sealed(sealer: Sealer) -> None:
    sealed = sealer.seal(SECRET, 7)
    assert SECRET.encode() not in sealed
    assert sealer.reveal(sealed, 7) == SECRET
    assert sealer.seal(SECRET, 7) != sealed


def test_a_key_sealed_for_one_endpoint_opens_no_other(sealer: Sealer) -> None:
    with pytest.raises(SealBroken, match="endpoint 8") as refused:
        sealer.reveal(sealer.seal(SECRET, 7), 8)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(40), b"\x01" + bytes(40)])
def test_damage_is_told(tmp_path: Path, sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        KeyFileSealer(tmp_path / "k").reveal(sealed, 7)


@pytest.mark.parametrize("plaintext", ["", "k" * (MAX_KEY_BYTES + 1)])
def test_what_kms_would_not_take_is_refused_everywhere(sealer: Sealer, plaintext: str) -> None:
    with pytest.raises(InvalidRequest):
        sealer.seal(plaintext, 7)


def test_revealing_needs_no_kms_key_id_and_sealing_does(kms_key_id: str) -> None:
    sealed = KmsSealer(kms_key_id, region="eu-central-1").seal(SECRET, 7)
    reader = KmsSealer(None, region="eu-central-1")
    assert reader.reveal(sealed, 7) == SECRET
    with pytest.raises(GatewayError, match="KMS_KEY_ID"):
        reader.seal(SECRET, 7)


def test_kms_away_is_store_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(StoreUnavailable, match="KMS"):
        KmsSealer("k", region="eu-central-1", endpoint="http://127.0.0.1:9").seal(SECRET, 7)


def test_the_key_file_is_private_and_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "data" / "sealing.key"
    sealed = KeyFileSealer(file).seal(SECRET, 7)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["sealing.key"]
    assert KeyFileSealer(file).reveal(sealed, 7) == SECRET


def test_a_short_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"short")
    with pytest.raises(GatewayError, match="5 bytes instead of 32"):
        KeyFileSealer(tmp_path / "k").seal(SECRET, 7)


def _seal(file: Path) -> bytes:
    return KeyFileSealer(file).seal(SECRET, 7)


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        sealed = pool.map(_seal, [tmp_path / "k"] * 12, chunksize=1)
    assert {KeyFileSealer(tmp_path / "k").reveal(each, 7) for each in sealed} == {SECRET}


class CountingSealer:
    def __init__(self) -> None:
        self.reveals = 0

    def seal(self, plaintext: str, owner_id: int, kind: Kind = "endpoint") -> bytes:
        return plaintext.encode()

    def reveal(self, sealed: bytes, owner_id: int, kind: Kind = "endpoint") -> str:
        self.reveals += 1
        if sealed == b"broken":
            raise SealBroken(owner_id, kind)
        return sealed.decode()


async def test_a_warm_request_decrypts_nothing() -> None:
    sealer = CountingSealer()
    keys = RevealedKeys(sealer)
    assert set(await asyncio.gather(*(keys.reveal(b"key", 7) for _ in range(20)))) == {"key"}
    assert await keys.reveal(b"key", 7) == "key"
    assert sealer.reveals == 1
    assert "key'" not in repr(keys)


async def test_the_least_used_key_is_forgotten() -> None:
    sealer = CountingSealer()
    keys = RevealedKeys(sealer, limit=2)
    for sealed in (b"a", b"b", b"a", b"c", b"a"):
        await keys.reveal(sealed, 7)
    assert sealer.reveals == 3
    await keys.reveal(b"b", 7)
    assert sealer.reveals == 4


async def test_a_failure_is_not_remembered() -> None:
    sealer = CountingSealer()
    keys = RevealedKeys(sealer)
    for _ in range(2):
        with pytest.raises(SealBroken):
            await keys.reveal(b"broken", 7)
    assert sealer.reveals == 2


def test_a_header_sealed_for_a_virtual_model_does_not_open_as_an_endpoints_key(tmp_path: Path) -> None:
    sealer = KeyFileSealer(tmp_path / "k")
    sealed = sealer.seal(SECRET, 7, "virtual_model")
    assert sealer.reveal(sealed, 7, "virtual_model") == SECRET
    with pytest.raises(SealBroken):
        sealer.reveal(sealed, 7)
