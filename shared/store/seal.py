"""Secrets at rest: sealed for one record with KMS or, on a laptop, with a key file; revealed once."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from shared.errors import GatewayError, InvalidRequest, StoreUnavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAX_KEY_BYTES = 4096  # what KMS encrypts directly

Kind: TypeAlias = Literal["endpoint", "virtual_model"]
"""Whose secret it is: an endpoint's API key, or a virtual model's secret header."""


class SealBroken(GatewayError):
    """The sealed secret was made for another record, with another master key, or is damaged."""

    code = "key_unreadable"

    def __init__(self, owner_id: int, kind: Kind = "endpoint") -> None:
        what = f"API key of endpoint {owner_id}" if kind == "endpoint" else f"secret header of virtual model {owner_id}"
        super().__init__(f"the stored {what} cannot be decrypted; enter it again")


class Sealer(Protocol):
    """Blocking: call it from a thread."""

    def seal(self, plaintext: str, owner_id: int, kind: Kind = "endpoint") -> bytes:
        """Raises InvalidRequest when it is too long, StoreUnavailable when KMS does not answer."""
        ...

    def reveal(self, sealed: bytes, owner_id: int, kind: Kind = "endpoint") -> str:
        """Raises SealBroken, or StoreUnavailable when KMS does not answer."""
        ...


class KmsSealer:
    """Seals with a KMS key; the encryption context binds the ciphertext to its record.

    `key_id` is needed only for sealing: a function that reveals has no need to know it. The client is made on first
    use, for its import and construction cost more than everything else here.
    """

    def __init__(self, key_id: str | None, *, region: str, endpoint: str | None = None) -> None:
        self._key_id = key_id
        self._region = region
        self._endpoint = endpoint
        self._client: Any = None

    def seal(self, plaintext: str, owner_id: int, kind: Kind = "endpoint") -> bytes:
        if self._key_id is None:
            raise GatewayError("KMS_KEY_ID is not set; this function cannot encrypt")
        answer = self._ask(
            "encrypt", KeyId=self._key_id, Plaintext=_bounded(plaintext), EncryptionContext=_context(owner_id, kind)
        )
        return bytes(answer["CiphertextBlob"])

    def reveal(self, sealed: bytes, owner_id: int, kind: Kind = "endpoint") -> str:
        from botocore.exceptions import ClientError

        try:
            answer = self._ask("decrypt", CiphertextBlob=sealed, EncryptionContext=_context(owner_id, kind))
        except StoreUnavailable as failure:
            cause = failure.__cause__
            code = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else None
            if code in ("InvalidCiphertextException", "IncorrectKeyException"):
                raise SealBroken(owner_id, kind) from None
            raise
        return bytes(answer["Plaintext"]).decode()

    def _ask(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: Mapping[str, Any] = getattr(self._connected(), operation)(**parameters)
        except ClientError as failure:
            raise StoreUnavailable(f"KMS refused to {operation} ({failure.response['Error']['Code']})") from failure
        except BotoCoreError as failure:
            raise StoreUnavailable(f"KMS did not {operation} ({type(failure).__name__}); try again") from failure
        return answer

    def _connected(self) -> Any:
        if self._client is None:
            import botocore.session
            from botocore.config import Config

            patience = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 3, "mode": "standard"})
            self._client = botocore.session.get_session().create_client(
                "kms", region_name=self._region, endpoint_url=self._endpoint, config=patience
            )
        return self._client


class KeyFileSealer:
    """Seals with AES-256-GCM and a key that lies beside the data; the record is the associated data.

    Layout: one byte of version, twelve of nonce, the ciphertext with its tag.
    """

    _VERSION = b"\x01"
    _NONCE_BYTES = 12

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._cipher: AESGCM | None = None

    def seal(self, plaintext: str, owner_id: int, kind: Kind = "endpoint") -> bytes:
        nonce = secrets.token_bytes(self._NONCE_BYTES)
        return self._VERSION + nonce + self._opened().encrypt(nonce, _bounded(plaintext), _associated(owner_id, kind))

    def reveal(self, sealed: bytes, owner_id: int, kind: Kind = "endpoint") -> str:
        from cryptography.exceptions import InvalidTag

        nonce, ciphertext = sealed[1 : 1 + self._NONCE_BYTES], sealed[1 + self._NONCE_BYTES :]
        if sealed[:1] != self._VERSION or len(ciphertext) < 16:
            raise SealBroken(owner_id, kind)
        try:
            return self._opened().decrypt(nonce, ciphertext, _associated(owner_id, kind)).decode()
        except InvalidTag:
            raise SealBroken(owner_id, kind) from None

    def _opened(self) -> AESGCM:
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(_read_or_create_key(self._key_file))
        return self._cipher


class RevealedKeys:
    """What was revealed, so that a warm request decrypts nothing; the least used of more than `limit` is forgotten."""

    def __init__(self, sealer: Sealer, *, limit: int = 256) -> None:
        self._sealer = sealer
        self._limit = limit
        self._keys: OrderedDict[tuple[bytes, int, Kind], str] = OrderedDict()
        self._flights: dict[tuple[bytes, int, Kind], asyncio.Task[str]] = {}

    async def reveal(self, sealed: bytes, owner_id: int, kind: Kind = "endpoint") -> str:
        """Raises SealBroken or StoreUnavailable."""
        place = (sealed, owner_id, kind)
        known = self._keys.get(place)
        if known is not None:
            self._keys.move_to_end(place)
            return known
        flight = self._flights.get(place)
        if flight is None:
            flight = asyncio.create_task(self._decrypt(place))
            self._flights[place] = flight
        return await asyncio.shield(flight)

    async def _decrypt(self, place: tuple[bytes, int, Kind]) -> str:
        try:
            key = await asyncio.to_thread(self._sealer.reveal, *place)
        finally:
            del self._flights[place]
        self._keys[place] = key
        if len(self._keys) > self._limit:
            self._keys.popitem(last=False)
        return key


def _bounded(plaintext: str) -> bytes:
    encoded = plaintext.encode()
    if not 0 < len(encoded) <= MAX_KEY_BYTES:
        raise InvalidRequest(f"a secret has 1 to {MAX_KEY_BYTES} bytes", param="api_key")
    return encoded


def _context(owner_id: int, kind: Kind) -> dict[str, str]:
    return {kind: str(owner_id)}


def _associated(owner_id: int, kind: Kind) -> bytes:
    return f"{kind}:{owner_id}".encode()


def _read_or_create_key(path: Path) -> bytes:
    """The key in the file, made when there is none; whoever links first wins, so two processes share one key."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(descriptor)
            with suppress(FileExistsError):  # another process's key is as good
                os.link(draft, path)
        finally:
            draft.unlink()
        _sync_folder(path.parent)
        key = path.read_bytes()
    if len(key) != 32:
        raise GatewayError(f"{path} is not a key file: it has {len(key)} bytes instead of 32")
    return key


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
