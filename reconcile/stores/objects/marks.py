"""What is kept beside the bytes of an object, and proves later whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconcile.core.entry import Digest
from reconcile.ports import Body

DIGEST: Final = "reconcile-digest"
"""The metadata with the SHA-256 of the content, a dash and its size: a foreign copy of the mark is noticed."""

TOKEN: Final = "reconcile-token"  # noqa: S105 - the name of a mark, not a secret

_HEADERS: Final = {
    name.lower(): name
    for name in ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type")
}


def attributes(body: Body, digest: Digest | None) -> dict[str, str]:
    """What is kept beside the bytes: real headers under their names, all else as metadata, and our marks."""
    kept = {}
    for name, value in body.attributes.items():
        plain = name.lower().replace("_", "-")
        kept[_HEADERS.get(plain, plain)] = value
    if body.content_type:
        kept["Content-Type"] = body.content_type
    if digest:
        kept[DIGEST] = f"{digest.hex()}-{body.size_bytes}"
    if body.token:
        kept[TOKEN] = body.token
    return kept


def marked_digest(kept: Mapping[str, str], size: int) -> Digest | None:
    """The digest among the metadata of an object, if it was made for an object of this size."""
    told, _, of_size = kept.get(DIGEST, "").partition("-")
    if len(told) != 64 or of_size != str(size):
        return None
    try:
        return Digest(bytes.fromhex(told))
    except ValueError:
        return None
