"""Values that never print."""

from __future__ import annotations

import re
from typing import Final, NoReturn, Self

MASK: Final = "***"

_SECRET_NAME: Final = re.compile(r"secret|token|pass|pwd|credential|key|(^|_)sas(_|$)", re.IGNORECASE)


def looks_secret(name: str) -> bool:
    """Whether a variable or setting of this name holds a secret (`AWS_SECRET_ACCESS_KEY`, `password`, `sas`)."""
    return _SECRET_NAME.search(name) is not None


class Secret(str):
    """Text that is `***` to everyone but who asks for it by `reveal()`.

    As text it *is* the mask, so whatever prints, formats or writes it (f-strings, logs, `json`) shows `***`; `msgspec`
    and `pickle` refuse it. Two secrets are equal when what they hide is.
    """

    __slots__ = ("_hidden",)
    _hidden: str

    def __new__(cls, hidden: str) -> Self:
        """The mask, with `hidden` behind it."""
        secret = super().__new__(cls, MASK)
        secret._hidden = hidden
        return secret

    def reveal(self) -> str:
        """What it hides."""
        return self._hidden

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._hidden == self._hidden

    def __ne__(self, other: object) -> bool:
        # Text has a `!=` of its own, which would compare the masks.
        return not self == other

    def __hash__(self) -> int:
        return hash((Secret, self._hidden))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is never written")


def revealed(text: str) -> str:
    """The text itself, or what a secret hides."""
    return text.reveal() if isinstance(text, Secret) else text
