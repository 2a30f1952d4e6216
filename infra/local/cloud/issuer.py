"""Stands in for Cognito's user pool: an OpenID Connect issuer with one key, whose tokens this process hands out."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.wire import dumps, loads

AUDIENCE = "dashboard"


class Issuer:
    """`url` is where its documents are found."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self._key_id = uuid.uuid4().hex

    def document(self, path: str) -> bytes | None:
        """What lies at a path below the issuer's own."""
        if path == "/.well-known/openid-configuration":
            return dumps({"issuer": self.url, "jwks_uri": f"{self.url}/.well-known/jwks.json"})
        if path == "/.well-known/jwks.json":
            row = loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
            return dumps({"keys": [{**row, "kid": self._key_id, "use": "sig", "alg": "RS256"}]})
        return None

    def token(self, email: str, seconds: int = 12 * 3_600) -> str:
        """An ID token of one of the pool's users."""
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": AUDIENCE, "sub": str(uuid.uuid4()), "email": email, "token_use": "id",
            "iat": now, "exp": now + seconds,
        }  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})

    def takes(self, authorization: str | bytes) -> bool:
        """API Gateway's authorizer of a user pool: an ID token of the pool's, bare or behind `Bearer`."""
        text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
        token = text.removeprefix("Bearer ").strip()
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), algorithms=["RS256"], audience=AUDIENCE, issuer=self.url
            )
        except jwt.PyJWTError:
            return False
        return claims.get("token_use") == "id"
