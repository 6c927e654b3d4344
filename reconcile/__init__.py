"""Plan and apply for files and data."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_OFFERED = frozenset(
    {"Plan", "Spec", "apply", "get_supported_stores", "load_plan", "load_spec"}
    | {"plan", "reset", "rollback", "status", "watch"}
)
"""What `reconcile.api` offers under the name of the package; the stub beside this file tells type checkers."""

__all__ = ["__version__", *sorted(_OFFERED)]  # noqa: PLE0604 - names, all of them


def __getattr__(name: str) -> Any:
    """Loads the library with the first use of one of its names, so that `import reconcile` costs nothing."""
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("reconcile.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_OFFERED})
