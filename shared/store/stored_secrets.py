"""A stored secret goes to the places that it was given for: what would send it elsewhere must bring it anew.

Whoever may change an address, but not read the key that is stored with it, could otherwise have it sent to a server of
his own. A place is an origin (scheme, host and port); paths may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from shared.errors import InvalidRequest, UpstreamUnreachable
from shared.gateway.catalog import VirtualModel
from shared.providers.address import locate
from shared.store.config_records import EndpointRecord, VirtualModelRecord

Origin: TypeAlias = str
_SHOWN = 5


def origin_of(endpoint: EndpointRecord) -> Origin:
    """Where its calls go to, as `https://host`; of an address that leads nowhere, itself."""
    url = endpoint.url
    if endpoint.endpoint_type == "runpod":
        from shared.providers.runpod.address import worker_url  # an id stands for an address

        url = worker_url(url)
    try:
        address = locate(url)
    except UpstreamUnreachable:
        return url
    return f"{'https' if address.secure else 'http'}://{address.authority}"


def check_key(before: EndpointRecord, after: EndpointRecord) -> None:
    """Raises InvalidRequest when the stored key would go to another origin."""
    if before.sealed_key is None or after.sealed_key != before.sealed_key:
        return
    old, new = origin_of(before), origin_of(after)
    if old != new:
        raise InvalidRequest(
            f"is stored for {old}: to use {new}, send the key again, or remove it with clear_api_key", param="api_key"
        )


def check_users(before: EndpointRecord, after: EndpointRecord, models: Iterable[VirtualModelRecord]) -> None:
    """Raises InvalidRequest when secret headers of virtual models would follow the endpoint to another origin."""
    new = origin_of(after)
    if origin_of(before) == new:
        return
    users = [
        each.name
        for each in models
        if each.value.sealed_headers and any(target.endpoint_id == before.id for target in each.value.targets)
    ]
    if users:
        more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
        raise InvalidRequest(
            f"secret headers of {', '.join(users[:_SHOWN])}{more} would go to {new}: take those headers, or this "
            "endpoint, off the virtual models first, and give them again when the address is changed",
            param="url",
        )


def keeps_secrets(before: VirtualModel, after: VirtualModel) -> bool:
    """Whether a secret header stays as it was."""
    return any(before.sealed_headers.get(name) == sealed for name, sealed in after.sealed_headers.items())


def check_headers(before: VirtualModel, after: VirtualModel, endpoints: Mapping[int, EndpointRecord]) -> None:
    """Raises InvalidRequest when a stored secret header would go to an origin that no target had before."""
    if not keeps_secrets(before, after):
        return
    new = _origins(after, endpoints) - _origins(before, endpoints)
    if new:
        raise InvalidRequest(
            f"the secret ones are stored for the targets that were there: to use {', '.join(sorted(new)[:_SHOWN])}, "
            "send their values again, or remove them",
            param="custom_headers",
        )


def _origins(model: VirtualModel, endpoints: Mapping[int, EndpointRecord]) -> set[Origin]:
    return {origin_of(endpoints[target.endpoint_id]) for target in model.targets if target.endpoint_id in endpoints}
