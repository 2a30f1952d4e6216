"""The emulated cloud's AWS: moto on loopback, with IAM asked about every request that is not the operator's.

    python -m infra.local.cloud.aws_process

Who signs with the operator's access key may do everything; every other key must be that of a role's session. The
signature itself is not checked. The line `aws ready on …` says that it answers.
"""

from __future__ import annotations

import argparse
import io
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.dynamodb.models import dynamodb_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.serving import WSGIRequestHandler, make_server

from infra.local.cloud.policies import Statement, first_refused
from infra.local.cloud.requests import Cloud, asks_of
from infra.local.leash import follow_parent
from shared import wire

ACCOUNT = "123456789012"
REGION = "eu-central-1"
OPERATOR = "AKIAOPERATOR"
STREAM_PATH = "/_cloud/stream"  # ?table=…&after=N: the records of a table's stream, which moto keeps and does not serve

log = logging.getLogger(__name__)

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/aws4_request")
_MOST_BYTES = 64 << 20


class Guarded:
    """A WSGI app in front of moto: one request at a time, for moto's transactions know no threads."""

    def __init__(self, moto: Callable[..., Iterable[bytes]]) -> None:
        self._moto = moto
        self._turn = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _MOST_BYTES))
        environ["wsgi.input"] = io.BytesIO(body)
        with self._turn:
            if environ["PATH_INFO"] == STREAM_PATH:
                return _answer(start, "200 OK", _stream_records(environ["QUERY_STRING"]))
            refusal = _refusal(environ, body)
            if refusal:
                return _answer(start, "400 Bad Request", wire.dumps(refusal), refusal["__type"].rpartition("#")[2])
            return list(self._moto(environ, start))


def _answer(start: Callable[..., Any], status: str, body: bytes, error: str = "") -> list[bytes]:
    """`error` is for the services that read it from a header, and where the body should be XML."""
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
    start(status, [*headers, ("x-amzn-errortype", error)] if error else headers)
    return [body]


def _refusal(environ: dict[str, Any], body: bytes) -> dict[str, str] | None:
    """The error of an action that the caller's role does not allow."""
    credential = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if credential is None:
        return _denied("a request without a signature")
    access_key, service = credential.groups()
    if access_key == OPERATOR:
        return None
    role = _role_of(access_key)
    if role is None:
        return {
            "__type": "UnrecognizedClientException",
            "message": "The security token included in the request is invalid.",
        }
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2] or environ["REQUEST_METHOD"]
    try:
        asks = asks_of(service, operation, wire.loads(body) if body else {}, _CLOUD)
    except (KeyError, ValueError) as problem:
        return {"__type": "ValidationException", "message": f"the request cannot be read: {problem}"}
    refused = first_refused(asks, _statements(role))
    if refused is None:
        return None
    log.warning("DENIED %s: %s on %s (%s)", role, refused.action, refused.resource, dict(refused.facts))
    return _denied(f"{role} is not authorized to perform: {refused.action} on resource: {refused.resource}")


def _denied(what: str) -> dict[str, str]:
    return {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": f"User: {what}"}


def _role_of(access_key: str) -> str | None:
    """The name of the role in whose session the key was given out."""
    session = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(access_key)
    return session.role_arn.rpartition("/")[2] if session else None


def _statements(role_name: str) -> list[Statement]:
    """The role's own policies. AWS's managed one for a VPC, the only other, speaks of no service here."""
    role = iam_backends[ACCOUNT]["aws"].get_role(role_name)
    found: list[Statement] = []
    for document in role.policies.values():
        read = wire.loads(document) if isinstance(document, str) else document
        statements = read["Statement"]
        found += statements if isinstance(statements, list) else [statements]
    return found


def _partition_key(table: str) -> str:
    return str(dynamodb_backends[ACCOUNT][REGION].tables[table.rpartition("/")[2]].hash_key_attr)


def _key_id(name: str) -> str:
    return str(kms_backends[ACCOUNT][REGION].any_id_to_key_id(name))


_CLOUD = Cloud(ACCOUNT, REGION, _partition_key, _key_id)


def _stream_records(query: str) -> bytes:
    told = parse_qs(query)
    shard = dynamodb_backends[ACCOUNT][REGION].tables[told["table"][0]].stream_shard
    items = shard.items[int(told["after"][0]) :][:1_000] if shard else []
    return wire.dumps([_record(item.to_json()) for item in items])


def _record(record: dict[str, Any]) -> dict[str, Any]:
    told = dict(record["dynamodb"])
    told["ApproximateCreationDateTime"] = told["ApproximateCreationDateTime"].timestamp()
    return {**record, "awsRegion": REGION, "dynamodb": told}


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--leash", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    if arguments.leash:
        follow_parent()
    app = Guarded(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", arguments.port, app, threaded=True, request_handler=_Quiet)
    print(f"aws ready on http://127.0.0.1:{server.port}", flush=True)  # noqa: T201
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
