"""The cells that a notebook needs to import what was sent, and to see every later change of it at once."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.core.outcome import Outcome, Result
from reconcile.core.path import shown
from reconcile.core.plan import Plan

_ARRIVES = frozenset({"create", "update", "move", "adopt"})


def notebook_lines(plan: Plan, result: Result) -> Iterator[str]:
    """Two cells to paste for every mapping whose cluster has new Python files; nothing where there is no cluster."""
    arrived = {outcome.mapping for outcome in result.outcomes if _is_module(outcome)}
    for mapping in plan.mappings:
        if mapping.mount and mapping.name in arrived:
            yield f"{shown(mapping.name)}: in a notebook, once, as two cells:"
            yield "  %load_ext autoreload"
            yield "  %autoreload 2"
            yield ""
            yield "  import sys"
            yield shown(f"  sys.path.insert(0, {mapping.mount.rstrip('/') + '/'!r})")
            yield ""


def _is_module(outcome: Outcome) -> bool:
    return outcome.outcome == "done" and outcome.action in _ARRIVES and outcome.key.endswith(".py")
