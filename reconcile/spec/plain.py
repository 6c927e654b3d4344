"""Documents built in code, brought to the values a YAML file could hold."""

from __future__ import annotations

from collections.abc import Mapping
import os

from reconcile.core.errors import SpecError
from reconcile.spec.document import NOWHERE, Steps, problem_line
from reconcile.spec.secret import Secret
from reconcile.spec.yaml import MAX_DEPTH


def plain(value: object, file: str, at: Steps = ()) -> object:
    """Tables, lists and scalars; keys become text, tuples lists, paths text. `SpecError` for anything else."""
    if len(at) > MAX_DEPTH:
        raise SpecError([problem_line(file, NOWHERE, at[:3], "nested too deep, or inside itself")], path=file)
    if value is None or isinstance(value, (Secret, str, bool, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item, file, (*at, str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, file, (*at, index)) for index, item in enumerate(value)]
    raise SpecError([problem_line(file, NOWHERE, at, f"a {type(value).__name__} cannot stand in a spec")], path=file)
