"""Why the store refuses a change that it understood.

Refusal                status  code
├── NotFound           404     not_found
├── DuplicateName      409     duplicate_name
├── Conflict           409     version_conflict
└── InUse              409     in_use
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.errors import GatewayError


class Refusal(GatewayError):
    status = 409
    type = "invalid_request_error"


class NotFound(Refusal):
    """There is no such record (any more)."""

    status = 404
    code = "not_found"

    def __init__(self, kind: str, record_id: int | str) -> None:
        super().__init__(f"no {kind} with id {record_id}", param="id")
        self.kind = kind
        self.record_id = record_id


class DuplicateName(Refusal):
    """Another record of the same kind bears the name; `param` is the field that asked for it."""

    code = "duplicate_name"

    def __init__(self, kind: str, name: str, param: str = "name") -> None:
        super().__init__(f"another {kind} is named '{name}'; choose another name", param=param)
        self.kind = kind
        self.name = name


class Conflict(Refusal):
    """Someone else changed the record since it was read; `current` is what it is now."""

    code = "version_conflict"

    def __init__(self, current: Any) -> None:
        super().__init__("the record was changed by someone else since you read it; read it again", param="version")
        self.current = current


class InUse(Refusal):
    """Virtual models send requests to the endpoint; `names` are theirs."""

    code = "in_use"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"used by the virtual models {', '.join(names)}; delete with cascade to remove them too")
        self.names = tuple(names)
