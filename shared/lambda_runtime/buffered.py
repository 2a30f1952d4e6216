"""The handler of buffered functions on the managed runtime: Mangum around the app that GATEWAY_APP names."""

from __future__ import annotations

import os
from importlib import import_module

from mangum import Mangum

from shared.garbage import loading

with loading():
    _app = import_module(os.environ["GATEWAY_APP"]).app

handler = Mangum(_app, lifespan="off")
