"""Who may ask: tokens that can run out, and the endpoints that make new ones."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
import threading
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.databricks.errors import error
from tests.fakes.databricks.wire import Answer, Request, as_json

USER = "someone@example.com"
EXPIRED = (
    (401, 401, "Token is expired"),
    (403, 403, "Token is expiring within 30 seconds. (token expired)"),
    (400, 400, "io.jsonwebtoken.ExpiredJwtException: Token is expired"),
)
"""How the service has told of an expired token over the years: status, code and message, the newest first."""


@dataclass
class Identity:
    """The tokens in force. `token` is a personal one; OAuth ones are made for `client_id` and `client_secret`."""

    base: Callable[[], str]
    token: str = "dapi-emulator"
    client_id: str = "emulator-client"
    client_secret: str = "emulator-secret"
    lifetime_s: int = 3600
    tokens_made: int = 0
    requests_left: dict[str, int | None] = field(default_factory=dict)
    """Valid OAuth tokens and how many requests each is still good for; None for any number."""
    requests_a_token: int | None = None
    """What the next OAuth tokens are good for."""
    expired: tuple[int, str | int, str] = EXPIRED[0]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expire(self, after: int = 0) -> None:
        """The OAuth tokens given out until now are good for so many more requests."""
        with self._lock:
            self.requests_left = dict.fromkeys(self.requests_left, after)

    def refusal(self, request: Request) -> Answer | None:
        """The answer to a request that may not ask; None if it may."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not token:
            message = "Credential was not sent or was of an unsupported type for this API."
            return error(401, 401, message)
        if token == self.token:
            return None
        with self._lock:
            left = self.requests_left.get(token, -1)
            if left == -1:
                return error(403, 403, "Invalid access token.")
            if left == 0:
                return error(*self.expired)
            self.requests_left[token] = None if left is None else left - 1
        return None

    def endpoints(self, _request: Request) -> Answer:
        """GET /oidc/.well-known/oauth-authorization-server."""
        oidc = f"{self.base()}/oidc"
        said = {"issuer": oidc, "authorization_endpoint": f"{oidc}/v1/authorize", "token_endpoint": f"{oidc}/v1/token"}
        return as_json(said)

    def config(self, _request: Request) -> Answer:
        """GET /.well-known/databricks-config."""
        said = {
            "oidc_endpoint": f"{self.base()}/oidc",
            "workspace_id": "4711",
            "cloud": "AWS",
            "host_type": "workspace",
        }
        return as_json(said)

    def make_token(self, request: Request) -> Answer:
        """POST /oidc/v1/token, for client credentials."""
        said = dict(parse_qsl(request.body.read().decode()))
        if self._client(request, said) != (self.client_id, self.client_secret):
            return as_json({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
        if said.get("grant_type") != "client_credentials":
            return as_json({"error": "unsupported_grant_type"}, 400)
        with self._lock:
            self.tokens_made += 1
            token = f"oauth-{self.tokens_made}"
            self.requests_left[token] = self.requests_a_token
        return as_json(
            {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime_s, "scope": "all-apis"}
        )

    def me(self, _request: Request) -> Answer:
        """GET /api/2.0/preview/scim/v2/Me."""
        said: dict[str, Any] = {"id": "1001", "userName": USER, "displayName": "Someone", "active": True}
        return as_json(said | {"emails": [{"value": USER, "primary": True, "type": "work"}]})

    @staticmethod
    def _client(request: Request, said: dict[str, str]) -> tuple[str, str]:
        kind, _, coded = request.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            name, _, secret = b64decode(coded).decode().partition(":")
            return name, secret
        return said.get("client_id", ""), said.get("client_secret", "")
