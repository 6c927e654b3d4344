"""What listeners hear while something happens. Terminal, JSON lines, log, metrics and dashboard are all listeners.

Events carry no time and no number; whoever writes them down (the JSON lines) gives `seq` and `time`.
"""

from __future__ import annotations

from msgspec import Struct


class Event(Struct, frozen=True, tag_field="event"):
    """Any of the events below."""


class Start(Event, frozen=True, tag="start"):
    """A run begins: so many actions, so many bytes to send. `resumed` is the run that stopped before, if one did."""

    run: int
    operation: str
    actions: int
    bytes: int
    resumed: int = 0


class ActionStart(Event, frozen=True, tag="action_start"):
    """One action begins."""

    id: int
    mapping: str
    action: str
    path: str
    size: int = 0


class ActionEnd(Event, frozen=True, tag="action_end"):
    """One action ended: `done`, `failed`, `skipped`, `held` or `conflict`. `bytes` sent, `seconds` taken."""

    id: int
    mapping: str
    action: str
    path: str
    outcome: str
    bytes: int = 0
    seconds: float = 0.0
    error: str = ""
    hint: str = ""


class Progress(Event, frozen=True, tag="progress"):
    """How far we are; `phase` is `scan`, `plan`, `apply` or `verify`. Paths and bytes; a total of 0: unknown."""

    phase: str
    mapping: str = ""
    done: int = 0
    total: int = 0
    bytes: int = 0
    total_bytes: int = 0


class Warn(Event, frozen=True, tag="warning"):
    """Something a person should know; nothing was lost."""

    text: str
    mapping: str = ""


class Note(Event, frozen=True, tag="note"):
    """A line for the log of `watch`."""

    text: str
    symbol: str = ""
