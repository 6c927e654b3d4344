"""Where an object store is and with which credentials: URL, options and environment, read once."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from reconcile.core.errors import DeniedError, UsageError
from reconcile.core.path import why_not_key
from reconcile.stores.objects.s3_wire import Bucket
from reconcile.stores.options import StoreOptions

SCHEMES: Final = ("s3", "gs", "az")

_WORDS: Final = {
    "s3": {"access_key_id", "secret_access_key", "session_token", "conditions", "order"},
    "gs": {"service_account", "conditions", "order"},
    "az": {"account", "account_key", "sas", "conditions", "order"},
}
_CHOICES: Final = {"conditions": {"", "match", "stat", "none"}, "order": {"", "bytes", "none"}}


class Place(Struct, frozen=True):
    """One container and prefix of one service; `prefix` without slashes at its ends."""

    scheme: str
    container: str
    prefix: str
    options: StoreOptions

    @property
    def root(self) -> str:
        """What stands before every key."""
        return f"{self.prefix}/" if self.prefix else ""

    @property
    def endpoint(self) -> str:
        """The endpoint, "" for the service's own."""
        named = self.options.endpoint
        if not named and self.scheme == "s3":
            named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        return named.rstrip("/")

    @property
    def url(self) -> str:
        """The canonical URL: what tells this place from every other, and no secret."""
        told = f"endpoint={self.endpoint}" if self.endpoint else ""
        if self.scheme == "az":
            told = "&".join(part for part in (f"account={self.word('account') or azure_account()}", told) if part)
        return f"{self.scheme}://{self.container}/{self.prefix}".rstrip("/") + (f"?{told}" if told else "")

    def word(self, name: str) -> str:
        """One of the words only this adapter knows."""
        return str(self.options.extra.get(name, ""))


def azure_account() -> str:
    """The storage account the environment names."""
    return os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "")


def place(url: str, options: StoreOptions) -> Place:
    """Reads a URL such as `s3://bucket/prefix`; `UsageError` for what it cannot be."""
    parts = urlsplit(url, allow_fragments=False)
    if parts.scheme not in SCHEMES or not parts.netloc or parts.query or "@" in parts.netloc:
        raise UsageError("is written s3://bucket/prefix (or gs://, az://)", op="open", path=parts.scheme + "://…")
    prefix = parts.path.strip("/")
    if prefix and (reason := why_not_key(prefix)):
        raise UsageError(f"the prefix cannot be used: {reason}", op="open", path=url)
    if unknown := sorted(set(options.extra) - _WORDS[parts.scheme]):
        raise UsageError(f"{parts.scheme}:// does not know {', '.join(unknown)}", op="open", path=url)
    for word, allowed in _CHOICES.items():
        if str(options.extra.get(word, "")) not in allowed:
            raise UsageError(f"{word} is one of {', '.join(sorted(allowed - {''}))}", op="open", path=url)
    found = Place(parts.scheme, parts.netloc, prefix, options)
    if "@" in urlsplit(found.endpoint).netloc:
        raise UsageError("the endpoint holds credentials", op="open", path=url, hint="give them as keys of the store")
    return found


def region(where: Place) -> str:
    """The region of an S3 place: as said, as the environment or the profile has it, else `us-east-1`."""
    named = where.options.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not named and where.options.profile:
        named = _session(where).get_config_variable("region")
    return named or "us-east-1"


def bucket(where: Place) -> Bucket:
    """Where the bucket of an S3 place answers."""
    name, at = where.container, region(where)
    if where.endpoint:
        return Bucket(name, at, f"{where.endpoint}/{name}")
    domain = "amazonaws.com.cn" if at.startswith("cn-") else "amazonaws.com"
    if "." in name:
        return Bucket(name, at, f"https://s3.{at}.{domain}/{name}")  # the certificate fits one label only
    return Bucket(name, at, f"https://{name}.s3.{at}.{domain}")


def is_aws(where: Place) -> bool:
    """Whether this is S3 itself, in a bucket that lists in byte order (directory buckets do not)."""
    host = urlsplit(where.endpoint).hostname or "s3.amazonaws.com"
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn")) and not where.container.endswith("--x-s3")


def credentials(where: Place) -> Any:
    """Botocore credentials: the keys of the store, a role or profile, the environment, else boto's whole chain."""
    from botocore.credentials import Credentials  # noqa: PLC0415 - 60 ms, only for those who talk to S3

    if where.word("access_key_id"):
        secret = where.word("secret_access_key") or where.options.password
        return Credentials(where.word("access_key_id"), secret, where.word("session_token") or None)
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if key and secret and not where.options.profile and not where.options.role:
        return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN") or None)
    session = _session(where)
    found = session.get_credentials()
    if found is None:
        raise DeniedError("no credentials", op="open", path=where.url, hint="aws configure, or set AWS_ACCESS_KEY_ID")
    return _in_role(session, found, where) if where.options.role else found


def _session(where: Place) -> Any:
    from botocore.exceptions import ProfileNotFound  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    session = Session(profile=where.options.profile or None)
    try:
        session.get_scoped_config()
    except ProfileNotFound as error:
        raise DeniedError(str(error), op="open", path=where.url, hint="aws configure list-profiles") from error
    return session


def _in_role(session: Any, source: Any, where: Place) -> Any:
    """Credentials of an assumed role, renewed by themselves."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials  # noqa: PLC0415

    fetcher = AssumeRoleCredentialFetcher(
        session.create_client,
        source,
        where.options.role,
        extra_args={"RoleSessionName": "reconcile"},
    )
    return DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)
