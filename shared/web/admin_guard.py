"""What is asked before an administrator's credentials: whose address shows them, and how often they were wrong."""

from __future__ import annotations

from shared.errors import Unauthenticated
from shared.settings import Networks
from shared.web.admin_access import OPEN_USER, Access, Administrator, NobodySays, shows_credentials
from shared.web.admin_attempts import Attempts
from shared.web.asgi import Scope
from shared.web.responses import caller_of


class Guard:
    """Implements `Access` by another one, None for everybody's. One guard for all functions of a process counts an
    address once; proxies of `trusted_proxies` are believed whom they speak for."""

    def __init__(self, access: Access | None, trusted_proxies: Networks = (), attempts: Attempts | None = None) -> None:
        self.access = access
        self.trusted_proxies = trusted_proxies
        self._attempts = attempts or Attempts()

    async def admit(self, scope: Scope) -> Administrator:
        self.check(scope)
        if self.access is None:
            return Administrator(OPEN_USER)
        try:
            return await self.access.admit(scope)
        except NobodySays:  # an outage must not lock out those who come back after it
            raise
        except Unauthenticated:
            self.note_failure(scope)
            raise

    def check(self, scope: Scope) -> None:
        """Raises RateLimited."""
        self._attempts.check(caller_of(scope).client_address)

    def note_failure(self, scope: Scope) -> None:
        """Who shows nothing asks who he is; who shows something that does not open tries."""
        if shows_credentials(scope):
            self._attempts.note_failure(caller_of(scope).client_address)


def guard_of(access: Access | None) -> Guard:
    return access if isinstance(access, Guard) else Guard(access)
