"""How the Runtime API is told of a failure."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

from shared.wire import dumps

_TYPE = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")


class Failure(NamedTuple):
    """`type` must match `(Runtime|Function)\\.[A-Z][a-zA-Z]+`: Lambda makes Runtime.Unknown of anything else."""

    type: str
    message: str

    def body(self) -> bytes:
        return dumps({"errorMessage": self.message, "errorType": self.type, "stackTrace": []})

    def trailers(self) -> tuple[tuple[str, str], ...]:
        return (
            ("Lambda-Runtime-Function-Error-Type", self.type),
            ("Lambda-Runtime-Function-Error-Body", base64.b64encode(self.body()).decode()),
        )


def function_failure(kind: str, message: str) -> Failure:
    """A failure of the function; `kind` is a class's name, of which Lambda takes the letters only."""
    letters = re.sub("[^A-Za-z]", "", kind)
    name = f"Function.{letters[:1].upper()}{letters[1:]}"
    return Failure(name if _TYPE.fullmatch(name) else "Function.Error", message)


def init_failure(error: BaseException) -> Failure:
    """Why the app could not be loaded: no request has been seen, so the message holds nobody's words."""
    message = f"{type(error).__name__}: {error}"
    for kind, name in INIT_FAILURES:
        if isinstance(error, kind):
            return Failure(name, message)
    return function_failure(type(error).__name__, message)


# the names that the managed Python runtime gives to the same failures
INIT_FAILURES: tuple[tuple[type[BaseException], str], ...] = (
    (ImportError, "Runtime.ImportModuleError"),
    (SyntaxError, "Runtime.UserCodeSyntaxError"),
    (AttributeError, "Runtime.HandlerNotFound"),
    (SystemExit, "Runtime.ExitError"),
)
