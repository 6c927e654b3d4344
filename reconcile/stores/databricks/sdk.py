"""The part of the Databricks SDK that is needed here: its configuration, without the services beside it.

To import anything of the SDK is to execute its package, which imports every service there is: a second of processor
for each command. So the package is put in place unexecuted. It is executed, once, as soon as somebody asks it for
something that is no module inside it: for who uses the SDK beside us, all is as it always was.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec, module_from_spec
import sys
from threading import RLock
from types import ModuleType
from typing import Any, Final

PACKAGE: Final = "databricks.sdk"

_LOCK: Final = RLock()


def config_class() -> Any:
    """`databricks.sdk.core.Config`."""
    with _LOCK:
        if PACKAGE not in sys.modules:
            _put_in_place()
    return import_module(f"{PACKAGE}.core").Config


def _put_in_place() -> None:
    above, _, name = PACKAGE.rpartition(".")
    spec = find_spec(PACKAGE)
    if spec is not None and spec.loader is not None:
        package = module_from_spec(spec)
        package.__class__ = _Unexecuted
        sys.modules[PACKAGE] = package
        setattr(import_module(above), name, package)


class _Unexecuted(ModuleType):
    """A package that was not executed yet. Who asks it while another thread executes it waits until that is done."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        if _is_module(name):  # without the lock: who imports a module may hold what the executing thread waits for
            return import_module(f"{PACKAGE}.{name}")
        _execute(self)
        return ModuleType.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        _execute(self)
        return [*ModuleType.__dir__(self)]


class _Executing(_Unexecuted):
    """One that is being executed: what it does not have yet, its own modules are told at once."""


def _execute(package: ModuleType) -> None:
    """Executes it, unless that was done or is going on in this very thread; after a failure it is as it was before."""
    with _LOCK:
        if type(package) is not _Unexecuted:
            return
        package.__class__ = _Executing
        try:
            package.__spec__.loader.exec_module(package)  # type: ignore[union-attr]
        except BaseException:
            package.__class__ = _Unexecuted
            raise
        package.__class__ = ModuleType  # type: ignore[assignment]


def _is_module(name: str) -> bool:
    return f"{PACKAGE}.{name}" in sys.modules or find_spec(f"{PACKAGE}.{name}") is not None
