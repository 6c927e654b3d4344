"""The cells that a notebook needs to import what was sent, and to see every later change of it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconcile.core.outcome import Outcome, Result
from reconcile.core.path import shown

_ARRIVES = frozenset({"create", "update", "move", "adopt"})


def notebook_lines(mounts: Mapping[str, str], result: Result) -> Iterator[str]:
    """Two cells to paste for every mapping whose cluster has new Python files; nothing where there is no cluster.

    `mounts` are the paths under which programs on the cluster see the targets, by mapping; "" where they see none.
    """
    arrived = {outcome.mapping for outcome in result.outcomes if _is_module(outcome)}
    for name, mount in mounts.items():
        if mount and name in arrived:
            yield f"{shown(name)}: in a notebook, once, as two cells:"
            yield "  %load_ext autoreload"
            yield "  %autoreload 2"
            yield ""
            yield "  import sys"
            yield shown(f"  sys.path.insert(0, {mount.rstrip('/') + '/'!r})")
            yield ""


def _is_module(outcome: Outcome) -> bool:
    return outcome.outcome == "done" and outcome.action in _ARRIVES and outcome.key.endswith(".py")
