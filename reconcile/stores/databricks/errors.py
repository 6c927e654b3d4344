"""From what a Databricks workspace answers to the errors of `core.errors`: only here are status and code read."""

from __future__ import annotations

import json
from typing import Any, Final

from msgspec import Struct

from reconcile.core.errors import BusyError, ChangedError, DeniedError, NotFoundError, RefusedError, StoreError
from reconcile.stores.answers import NoContainerError, garbled, seconds


class SignInError(DeniedError):
    """The workspace does not know who asks: no other call will do better."""


class SlowError(BusyError):
    """The service did not come to an end in its own time: what was asked may be too much for it."""


class NotOfferedError(RefusedError):
    """The workspace does not have this call at all."""


class NoPartsError(RefusedError):
    """No file can be sent in parts there: the workspace signs no URLs, or the storage has another way or takes none."""


class UntakenError(BusyError):
    """A signed URL was refused: it has expired, or the storage takes none from here."""


class DirectoryThereError(ChangedError):
    """A directory has the name that a file was to get."""


class Refusal(Struct, frozen=True):
    """An answer that is not a success: HTTP status, code, finer reason and sentence of the service, seconds to wait.

    `is_foreign`: its content is not what the service says such things with, so something else may have answered.
    """

    status: int
    code: str = ""
    reason: str = ""
    message: str = ""
    retry_after_s: float | None = None
    is_foreign: bool = False

    @property
    def is_unknown_user(self) -> bool:
        """Whether the credentials themselves were refused: what stands before the services answers in numbers."""
        return self.status == 401 or (self.status in (400, 403) and self.code == str(self.status))


_REASONS: Final[dict[str, type[StoreError]]] = {
    "FILES_API_API_IS_NOT_ENABLED": NoPartsError,
    "FILES_API_DIRECTORY_ALREADY_EXISTS": DirectoryThereError,
}

_CODES: Final[dict[str, type[StoreError]]] = {
    "ALREADY_EXISTS": ChangedError,
    "RESOURCE_ALREADY_EXISTS": ChangedError,
    "CATALOG_ALREADY_EXISTS": ChangedError,
    "SCHEMA_ALREADY_EXISTS": ChangedError,
    "VOLUME_ALREADY_EXISTS": ChangedError,
    "CATALOG_DOES_NOT_EXIST": NoContainerError,
    "ENDPOINT_NOT_FOUND": NotOfferedError,
    "NOT_IMPLEMENTED": NotOfferedError,
    "SCHEMA_DOES_NOT_EXIST": NoContainerError,
    "VOLUME_DOES_NOT_EXIST": NoContainerError,
    "RESOURCE_DOES_NOT_EXIST": NotFoundError,
    "ABORTED": BusyError,
    "DEADLINE_EXCEEDED": SlowError,
    "PARTIAL_DELETE": BusyError,
    "REQUEST_LIMIT_EXCEEDED": BusyError,
    "RESOURCE_CONFLICT": BusyError,
    "RESOURCE_EXHAUSTED": BusyError,
    "TEMPORARILY_UNAVAILABLE": BusyError,
}

_STATUSES: Final[dict[int, type[StoreError]]] = {
    401: SignInError,
    403: DeniedError,
    404: NotFoundError,
    405: NotOfferedError,
    408: BusyError,
    412: ChangedError,
    425: BusyError,
    429: BusyError,
    500: BusyError,
    501: NotOfferedError,
    502: BusyError,
    503: BusyError,
    504: SlowError,
}

_MAKE: Final = "make it with `reconcile create PATH`, or set create_target: true"
_HINTS: Final = {
    "CATALOG_DOES_NOT_EXIST": "catalogs are made by who governs the metastore; is the name right?",
    "SCHEMA_DOES_NOT_EXIST": _MAKE,
    "VOLUME_DOES_NOT_EXIST": _MAKE,
    "ENDPOINT_NOT_FOUND": "is the host the address of a workspace?",
    "FEATURE_DISABLED": "the workspace has this switched off: a volume (/Volumes/…) takes its place",
}
_CROWDED: Final = "directories of more than 10,000 files are too many to list: spread them over several"
_DENIED: Final = "check the profile, and what its user may do there"


def translate(refusal: Refusal, op: str, path: str, asked: str = "") -> StoreError:
    """The error that a refusal means, with a hint where there is a next step. `asked` names the call."""
    if 300 <= refusal.status < 400:
        return RefusedError("the workspace sends elsewhere, and redirects are not followed", op=op, path=path,
                            hint="is the host the address of the workspace itself?")  # fmt: skip
    if refusal.status == 404 and refusal.is_foreign:  # absence is what the service itself says, or nobody
        return garbled("HTTP status 404, and not from the service", op, path)
    kind = _kind(refusal)
    told = refusal.message or f"HTTP status {refusal.status}"
    message = f"{refusal.code}, {told}" if refusal.code and not refusal.code.isdigit() else told
    if asked and issubclass(kind, NotOfferedError):
        message = f"the workspace does not offer {asked}: {message}"
    if issubclass(kind, BusyError):
        hint = _CROWDED if issubclass(kind, SlowError) and op == "list" else ""
        return kind(message, retry_after_s=refusal.retry_after_s, op=op, path=path, hint=hint)
    hint = _HINTS.get(refusal.code, _DENIED if issubclass(kind, DeniedError) else "")
    return kind(message, op=op, path=path, hint=hint)


def _kind(refusal: Refusal) -> type[StoreError]:
    if refusal.is_unknown_user:
        return SignInError
    if refusal.reason in _REASONS:
        return _REASONS[refusal.reason]
    if refusal.code in _CODES:
        return _CODES[refusal.code]
    return _STATUSES.get(refusal.status, RefusedError)


def refusal(status: int, headers: dict[str, str], content: bytes, *, head: bool = False) -> Refusal:
    """What an answer says that is no success; one without the JSON of the service still has its status.

    The answer to a HEAD (`head`) has no content, whoever gives it.
    """
    said = _object(content)
    details = said.get("details")
    told = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    reasons = [str(one.get("reason", "")) for one in told]
    return Refusal(
        status,
        str(said.get("error_code", "")),
        next(filter(None, reasons), ""),
        str(said.get("message", ""))[:500],
        seconds(headers.get("retry-after")),
        is_foreign="error_code" not in said and (not head or "html" in headers.get("content-type", "")),
    )


def _object(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
