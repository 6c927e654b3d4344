"""Documents built in code, brought to the values a YAML file could hold."""

from __future__ import annotations

from collections.abc import Mapping
import os

from reconcile.core.errors import SpecError
from reconcile.core.path import is_utf8
from reconcile.spec.document import NOWHERE, Steps, problem_line
from reconcile.spec.secret import revealed
from reconcile.spec.yaml import MAX_DEPTH


def plain(value: object, file: str, at: Steps = ()) -> object:
    """Tables, lists and scalars; keys become text, tuples lists, paths text. `SpecError` for anything else."""
    if len(at) > MAX_DEPTH:
        raise _refusal(file, at[:3], "nested too deep, or inside itself")
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str) and not is_utf8(revealed(value)):
        raise _refusal(file, at, "not valid Unicode")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _refusal(file, at, "a number beyond 64 bits")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {_key(key, file, at): plain(item, file, (*at, str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, file, (*at, index)) for index, item in enumerate(value)]
    raise _refusal(file, at, f"a value of type {type(value).__name__} cannot stand in a spec")


def _key(key: object, file: str, at: Steps) -> str:
    text = str(key)
    if not is_utf8(text):
        raise _refusal(file, at, "a key is not valid Unicode")
    return text


def _refusal(file: str, at: Steps, message: str) -> SpecError:
    return SpecError([problem_line(file, NOWHERE, at, message)], path=file)
