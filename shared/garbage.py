"""When Python looks for reference cycles: seldom, and never among what lives as long as the process does."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New containers that are still alive; Python's own 700 is reached by a few requests at once, none of which is garbage,
# and looking among them took a twelfth of a busy process's time.
_YOUNG = 10_000


@contextmanager
def loading() -> Iterator[None]:
    """While the process's code is loaded nothing is looked for, which saves a tenth of the imports' time; what is there
    at the end is never looked at again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(_YOUNG, 10, 10)
        gc.enable()
