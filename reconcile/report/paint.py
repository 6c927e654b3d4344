"""Colour for terminals, by hand-written SGR codes; without it every text stays as it is."""

from __future__ import annotations

from typing import Final

_SGR: Final = {"+": "32", "~": "33", "-": "31", ">": "36", "=": "34", ".": "90", "!": "1;31", "?": "35"}
_ALARM: Final = "1;31"
_BOLD: Final = "1"


class Paint:
    """Colours symbols, headlines and alarms, if it is on."""

    def __init__(self, on: bool) -> None:  # noqa: FBT001 - the one thing it is
        self._symbols = {symbol: _coloured(symbol, code) if on else symbol for symbol, code in _SGR.items()}
        self._on = on

    def symbol(self, symbol: str) -> str:
        """A symbol in its colour."""
        return self._symbols.get(symbol, symbol)

    def bold(self, text: str) -> str:
        """A headline."""
        return _coloured(text, _BOLD) if self._on else text

    def alarm(self, text: str) -> str:
        """What must not be overlooked."""
        return _coloured(text, _ALARM) if self._on else text


def _coloured(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"
