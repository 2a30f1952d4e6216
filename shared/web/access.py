"""Which clients are let in: everybody, or whoever shows a client key; asked before a byte of the body is read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from shared.errors import StoreUnavailable, Unauthenticated
from shared.store.client_key import ClientKey, Shown, read_key
from shared.web.asgi import Scope, header

log = logging.getLogger(__name__)

_WAY_OUT = "send it as `Authorization: Bearer spk_…` or `x-api-key`; an administrator makes keys"


class Access(Protocol):
    async def admit(self, scope: Scope) -> ClientKey | None:
        """The client's key, if it showed one; raises Unauthenticated or StoreUnavailable."""
        ...

    async def settle(self) -> None:
        """Called after the client's last byte: what is still to be written."""
        ...


class KeyMemory(Protocol):
    async def verify(self, shown: Shown) -> ClientKey | None: ...
    async def settle(self) -> None: ...


class KeyAccess:
    """Client keys. Where they are not `required`, a good one still says whose request it is, and a bad one nothing.

    `keys` gives the process's memory of keys, made when the first key is shown.
    """

    def __init__(self, keys: Callable[[], KeyMemory], *, required: bool) -> None:
        self._keys = keys
        self._required = required
        self._asked = False

    async def admit(self, scope: Scope) -> ClientKey | None:
        given = _credentials(scope)
        for text in given:
            shown = read_key(text)
            if shown is not None:
                return await self._verified(shown)
        if not self._required:
            return None
        if given:
            raise Unauthenticated(f"this is not an API key of this gateway; {_WAY_OUT}")
        raise Unauthenticated(f"an API key is needed; {_WAY_OUT}")

    async def settle(self) -> None:
        if self._asked:
            await self._keys().settle()

    async def _verified(self, shown: Shown) -> ClientKey | None:
        self._asked = True
        try:
            if key := await self._keys().verify(shown):
                return key
        except StoreUnavailable as failure:
            if self._required:
                raise
            log.warning("a request is not attributed to its key: %s", failure.message)
            return None
        if self._required:
            raise Unauthenticated(
                "the API key is unknown, expired, disabled or revoked; ask an administrator for another one"
            )
        return None


def _credentials(scope: Scope) -> list[str]:
    """What SDKs show, some of them both: OpenAI's in `Authorization`, Anthropic's in `x-api-key`."""
    scheme, _, token = header(scope, b"authorization").partition(" ")
    found = [token.strip()] if scheme.lower() == "bearer" else []
    return [text for text in (*found, header(scope, b"x-api-key").strip()) if text]
