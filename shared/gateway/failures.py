"""What a client is told of a backend that failed: the endpoint's name. Its address is for the log."""

from __future__ import annotations

import logging

from shared.errors import GatewayError, UpstreamUnreachable
from shared.providers.address import locate
from shared.providers.base import Endpoint

log = logging.getLogger(__name__)


def name_endpoint(error: GatewayError, endpoint: Endpoint) -> None:
    """Put the endpoint's name where the transport wrote `host:port`."""
    try:
        place = locate(endpoint.url).place
    except UpstreamUnreachable:
        return  # not a web address: the transport never saw it
    if place in error.message:
        log.warning("endpoint '%s': %s", endpoint.name, error.message)
        error.message = error.message.replace(place, f"endpoint '{endpoint.name}'")
