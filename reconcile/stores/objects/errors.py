"""From what an object store answers to the errors of `core.errors`; the only place that reads status and code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
import re
from typing import Final

from msgspec import Struct

from reconcile.core.entry import ABSENT, ANY, Version
from reconcile.core.errors import (
    BusyError,
    ChangedError,
    DeniedError,
    NotFoundError,
    RefusedError,
    StoreError,
)
from reconcile.stores.answers import NoContainerError, garbled


class NoUploadError(BusyError):
    """There is no upload of this name: it was completed, or given up; whoever was to complete it may begin again."""


class Refusal(Struct, frozen=True):
    """An answer that is not a success: HTTP status, the store's own code and sentence, seconds to wait, region."""

    status: int
    code: str = ""
    message: str = ""
    retry_after_s: float | None = None
    region: str = ""


_CODES: Final[dict[str, type[StoreError]]] = {
    "BadDigest": BusyError,
    "ConditionalRequestConflict": BusyError,
    "IncompleteBody": BusyError,
    "InternalError": BusyError,
    "NoSuchUpload": NoUploadError,
    "OperationAborted": BusyError,
    "RequestTimeout": BusyError,
    "SlowDown": BusyError,
    "XAmzContentSHA256Mismatch": BusyError,
    "ContainerNotFound": NoContainerError,
    "NoSuchBucket": NoContainerError,
    "ConditionNotMet": ChangedError,
    "PreconditionFailed": ChangedError,
    "AuthorizationHeaderMalformed": DeniedError,
    "ExpiredToken": DeniedError,
    "InvalidAccessKeyId": DeniedError,
    "InvalidToken": DeniedError,
    "RequestTimeTooSkewed": DeniedError,
    "SignatureDoesNotMatch": DeniedError,
    "BucketAlreadyExists": DeniedError,
}

_STATUSES: Final[dict[int, type[StoreError]]] = {
    401: DeniedError,
    403: DeniedError,
    404: NotFoundError,
    408: BusyError,
    409: BusyError,
    412: ChangedError,
    429: BusyError,
    500: BusyError,
    502: BusyError,
    503: BusyError,
    504: BusyError,
}

_HINTS: Final = {
    "BucketAlreadyExists": "the name is taken by another account: choose another one",
    "ContainerNotFound": "make it with `reconcile create URL`, or set create_target: true",
    "ExpiredToken": "sign in again: the credentials have expired",
    "InvalidAccessKeyId": "the access key is unknown there: check profile, keys and endpoint",
    "InvalidObjectState": "the object is archived: restore it first",
    "NoSuchBucket": "make it with `reconcile create URL`, or set create_target: true",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it, then try again",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
}

_DENIED: Final = "check profile, keys and what they are allowed to do there"


def translate(refusal: Refusal, op: str, path: str) -> StoreError:
    """The error that a refusal means, with a hint where there is a next step."""
    kind = _CODES.get(refusal.code) or _STATUSES.get(refusal.status, RefusedError)
    message = ", ".join(part for part in (refusal.code, refusal.message) if part) or f"HTTP status {refusal.status}"
    hint = _HINTS.get(refusal.code, _DENIED if kind is DeniedError else "")
    if 300 <= refusal.status < 400 or (refusal.code == "AuthorizationHeaderMalformed" and refusal.region):
        where = f"region: {refusal.region}" if refusal.region else "check region and endpoint"
        return RefusedError(
            "the bucket is somewhere else, and redirects are not followed", op=op, path=path, hint=where
        )
    if issubclass(kind, BusyError):
        return kind(message, retry_after_s=refusal.retry_after_s, op=op, path=path)
    return kind(message, op=op, path=path, hint=hint)


_STATUS: Final = re.compile(r"non-2xx status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]{1,300})")


@contextmanager
def translated(op: str, path: str) -> Iterator[None]:
    """Around calls of obstore: what they raise becomes one of our errors."""
    from obstore.exceptions import BaseError  # noqa: PLC0415 - 20 ms, only for those who talk to object stores

    try:
        yield
    except (BaseError, FileNotFoundError, ValueError) as error:
        raise _from_obstore(error, op, path) from error


@contextmanager
def vanished(op: str, path: str, expect: Version) -> Iterator[None]:
    """Around calls that expect a version: where nothing is found, it changed; a missing container stays one."""
    try:
        yield
    except NoContainerError:
        raise
    except NotFoundError as error:
        if expect in (ABSENT, ANY):
            raise
        raise ChangedError("is no longer there", op=op, path=path) from error


def _from_obstore(error: Exception, op: str, path: str) -> StoreError:
    """The error that one of obstore means.

    obstore tells an HTTP answer only inside its text; where there was none (cut off, timed out) it has no status.
    """
    text = str(error).partition("Debug source")[0].strip()
    if status := _STATUS.search(text):
        code, message = _CODE.search(text), _MESSAGE.search(text)
        told = Refusal(int(status[1]), code[1] if code else "", message[1] if message else "")
        return translate(told, op, path)
    if "redirect" in text:
        return translate(Refusal(301), op, path)
    for kinds, made, plain in _meanings():
        if isinstance(error, kinds):
            return made(plain or text, op=op, path=path)
    if keyless := next((then for what, then in _KEYLESS.items() if what in text), None):
        make, said = keyless
        return make(said, op=op, path=path, hint=_KEYS)
    if _NONSENSE.search(text):
        return garbled("the answer is not one of an object store", op, path)
    return BusyError("the connection broke before the answer was whole", op=op, path=path)


_KEYS: Final = "gs: set GOOGLE_APPLICATION_CREDENTIALS; az: AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
_KEYLESS: Final[dict[str, tuple[Callable[..., StoreError], str]]] = {
    "service account file": (DeniedError, "the service account file cannot be read"),
    "token request": (BusyError, "no keys were given, and this machine has no identity to use"),
}
"""What obstore says when it finds no keys; a token that does not come may come later."""

_NONSENSE: Final = re.compile("extract metadata|missing from response|invalid|out of range")


def _meanings() -> Sequence[tuple[tuple[type[Exception], ...], type[StoreError], str]]:
    from obstore import exceptions as e  # noqa: PLC0415

    return (
        ((e.AlreadyExistsError, e.PreconditionError), ChangedError, "is not what was expected there"),
        ((FileNotFoundError,), NotFoundError, "does not exist"),
        ((e.PermissionDeniedError, e.UnauthenticatedError), DeniedError, "the store refuses these credentials"),
        ((e.NotSupportedError, e.InvalidPathError, ValueError), RefusedError, ""),
    )
