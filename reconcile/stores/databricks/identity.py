"""Who asks a Databricks workspace: the configuration and the credentials, both as the Databricks SDK finds them."""

from __future__ import annotations

from functools import lru_cache
import logging
from threading import Lock
from typing import Any, Final

from reconcile.core.errors import BusyError, StoreError, UsageError
from reconcile.stores.databricks.errors import SignInError
from reconcile.stores.databricks.place import address_of, why_no_profile
from reconcile.stores.databricks.pool import require_answer
from reconcile.stores.databricks.sdk import config_class
from reconcile.stores.options import StoreOptions

WORDS: Final = ("host", "token", "client_id", "client_secret", "auth_type")
"""Words of a connection that the SDK knows under the same name; `profile` is another."""

_PATIENCE_S: Final = 5
"""So long the SDK tries to reach a workspace for its configuration; its own measure is five minutes."""


class Identity:
    """The configuration of one workspace; thread-safe.

    Without words it is the SDK's own chain: environment, profile, notebook, cloud identities. `client` of the options
    may be a `Config` or a `WorkspaceClient` that is ready; only what was found here can be found anew.
    """

    def __init__(self, url: str, options: StoreOptions) -> None:
        if unknown := sorted(set(options.extra) - set(WORDS)):
            raise UsageError(f"a Databricks place does not know {', '.join(unknown)}", op="open", path=url)
        self._url = url
        self._options = options
        self._words: dict[str, Any] = {word: str(options.extra[word]) for word in WORDS if options.extra.get(word)}
        if options.profile:
            self._words["profile"] = options.profile
        self._given = getattr(options.client, "config", options.client)
        self._config: Any = self._given
        self._lock = Lock()
        self._renewed = self._proven = 0
        self._known = False
        self._told: tuple[bytes, ...] = ()

    @property
    def config(self) -> Any:
        """The SDK's configuration; `SignInError` where it finds no credentials."""
        with self._lock:
            if self._config is None:
                self._config = self._found()
            return self._config

    def headers(self) -> tuple[int, dict[str, str]]:
        """Headers that say who asks, renewed by the SDK before they expire; and how often they were found anew."""
        renewed = self._renewed
        config = self.config
        try:
            said = dict(config.authenticate())
        except Exception as error:  # whatever a source of credentials raises: processes, files, other services
            raise self._refused(error) from error
        self._remember(said.get("Authorization", "").partition(" ")[2], config.token, config.client_secret)
        if config.workspace_id:
            said["X-Databricks-Workspace-Id"] = str(config.workspace_id)
        return renewed, said | {"User-Agent": _user_agent(config)}

    def _remember(self, *secrets: str | None) -> None:
        """What must not come back in an answer; the longest first, so that none leaves half of another."""
        known = {*self._told, *(secret.encode() for secret in secrets if secret)}
        if len(known) != len(self._told):
            self._told = tuple(sorted(known, key=len, reverse=True))

    def scrubbed(self, said: bytes) -> bytes:
        """What a service says, without the credentials it was asked with: some quote them in their errors."""
        for secret in self._told:
            said = said.replace(secret, b"***")
        return said

    def accepted(self, renewed: int) -> None:
        """Credentials that were found anew so often have been accepted."""
        self._proven, self._known = max(self._proven, renewed), True

    def renew(self, renewed: int, message: str) -> None:
        """After a refusal of credentials found anew `renewed` times: finds them once more.

        `SignInError` when that was tried, and those were refused as well.
        """
        with self._lock:
            if self._renewed != renewed:  # somebody else was quicker
                return
            if self._given is not None or self._proven < renewed:
                raise self.unknown(message)
            self._config = self._found()
            self._renewed += 1

    def unknown(self, message: str) -> SignInError:
        """The workspace does not take these credentials, or there are none."""
        profile = self._words.get("profile") or getattr(self._config, "profile", None)
        hint = f"databricks auth login -p {profile}" if profile else "databricks auth login, or give host and token"
        return SignInError(f"not signed in: {message}", op="open", path=self._url, hint=hint)

    def _refused(self, error: Exception) -> StoreError:
        """What keeps us from signing in: nobody who answers, for now, or nobody who knows us.

        Who was known a moment ago is most likely still known: then it is worth another try, whatever was said.
        """
        from requests.exceptions import RequestException  # noqa: PLC0415 - comes with the SDK

        unknown = self.unknown(str(error) or type(error).__name__)
        if self._known or isinstance(error, (RequestException, TimeoutError, ConnectionError)):
            return BusyError(unknown.message, op=unknown.op, path=unknown.path, hint=unknown.hint)
        return unknown

    def _found(self) -> Any:
        require_answer(address_of(self._options))
        from reconcile import __version__  # noqa: PLC0415

        logging.getLogger("databricks.sdk").addHandler(logging.NullHandler())
        try:
            return config_class()(
                product="reconcile", product_version=__version__, retry_timeout_seconds=_PATIENCE_S, **self._words
            )
        except Exception as error:
            message, hint = why_no_profile(self._options)
            no_profile = SignInError(message, op="open", path=self._url, hint=hint) if message else None
            raise no_profile or self._refused(error) from error


@lru_cache(maxsize=8)
def _user_agent(config: Any) -> str:
    return str(config.user_agent)
