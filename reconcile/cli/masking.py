"""What is taken out of texts before anybody sees them. The spec hides its secrets itself; this is the second wall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
import re
from typing import Final

MASK: Final = "***"
_CREDENTIALS: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "DATABRICKS_CLIENT_SECRET",
    "DATABRICKS_TOKEN",
    "PGPASSWORD",
)
_SHORTEST: Final = 8
"""A shorter one is a word that stands in innocent texts."""

_IN_URL: Final = (
    re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/@'\"]*(?=@)"),
    re.compile(
        r"(?i)(?<=[?&])((?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|sig|password|token)=)[^\s&'\"]+"
    ),
)


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets; the longest must come first, so that none leaves half of another."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def guarded(text: str, secrets: Iterable[str], environ: Mapping[str, str]) -> str:
    """A log line, an error or a traceback without these secrets, the environment's, and those that URLs carry."""
    ours = (environ.get(name, "") for name in _CREDENTIALS)
    text = masked(masked(text, secrets), sorted((s for s in ours if len(s) >= _SHORTEST), key=len, reverse=True))
    users, words = _IN_URL
    return words.sub(rf"\g<1>{MASK}", users.sub(MASK, text))
