"""The shape of a spec: checked by its JSON Schema, told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from itertools import islice
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from reconcile import __version__
from reconcile.core.path import shown
from reconcile.spec.document import Findings, Steps
from reconcile.spec.schemas import schema_text
from reconcile.spec.secret import MASK, looks_secret
from reconcile.spec.yaml import scalar

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

Known = Callable[[str], bool]
Remember = Callable[[str], None]

_MOST_FAULTS: Final = 200
_TYPES: Final = {
    "object": "a table of settings",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_KINDS: Final = {bool: "boolean", int: "integer"}
_HABITS: Final = {
    "src": "source",
    "from": "source",
    "dst": "target",
    "dest": "target",
    "destination": "target",
    "to": "target",
    "ignore": "exclude",
    "filter": "include",
    "prune": "delete",
    "mode": "direction",
    "debounce": "watch.debounce",
    "<<": "defaults",
}
_SENT: Final = (("notify", "webhook"), ("notify", "command"))
_ELSEWHERE: Final = frozenset({"watch.debounce", "defaults"})
_SAID_AS_BOOL: Final = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def check_shape(
    value: object, findings: Findings, known: Known | None = None, remember: Remember | None = None
) -> list[Steps]:
    """Notes everything that does not have the shape the schema asks for; gives back where it stands.

    `known` may say, by a digest of the value and of this version, that it was checked before; then the schema library
    is not even imported. `remember` is told the digest of a value that is in order.
    """
    text = schema_text("spec")
    seen = sha256(b"\0".join((__version__.encode(), text.encode(), _canonical(value)))).hexdigest()
    if known is not None and known(seen):
        return []
    places = [place for fault in _faults(_validator(text), value) for place in _note(fault, findings)]
    if not places and remember is not None:
        remember(seen)
    return places


def _canonical(value: object) -> bytes:
    """The value as bytes that are equal for equal values; secrets (the only text unknown to the encoder) masked."""
    return msgspec.json.encode(value, enc_hook=lambda _: MASK, order="sorted")


def _python_pattern(schema: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema with its regex as Python has it, where `$` would also match before a last newline."""
    if isinstance(schema.get("pattern"), str):
        schema["pattern"] = schema["pattern"].replace("$", r"\Z")
    return schema


class _Fault(NamedTuple):
    """One error of the schema library: `instance` at `at` breaks the `keyword` that asks for `wanted`."""

    at: Steps
    keyword: str
    wanted: Any
    instance: Any
    schema: dict[str, Any]
    of_name: bool

    @property
    def examples(self) -> str:
        """What the schema shows as right."""
        return ", ".join(shown(example) for example in self.schema.get("examples", ()))


@cache
def _validator(text: str) -> Draft202012Validator:
    """One for all specs of a process."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  95 ms that a known spec saves

    return Draft202012Validator(json.loads(text, object_hook=_python_pattern))


def _faults(validator: Draft202012Validator, value: object) -> Iterator[_Fault]:
    for error in islice(validator.iter_errors(value), _MOST_FAULTS):
        at: Steps = tuple(error.absolute_path)
        of_name = "propertyNames" in error.absolute_schema_path
        yield _Fault(
            at=(*at, str(error.instance)) if of_name else at,
            keyword=str(error.validator),
            wanted=error.validator_value,
            instance=error.instance,
            schema=error.schema if isinstance(error.schema, dict) else {},
            of_name=of_name,
        )


def _note(fault: _Fault, findings: Findings) -> list[Steps]:
    """Puts one fault into words; gives back the places that hold it."""
    at = fault.at
    if fault.of_name:
        findings.add(at, *_bad_name(fault), key=True)
    elif fault.keyword == "additionalProperties":
        return _note_unknown(fault, findings)
    elif fault.keyword == "required":
        for name in fault.wanted:
            if name not in fault.instance:
                findings.add(at, f"`{name}` is missing", key=True)
    elif not findings.at(at):
        findings.add(at, *_sentence(fault))
    return [at]


def _bad_name(fault: _Fault) -> tuple[str, str]:
    name = shown(str(fault.instance))
    if fault.keyword == "not":
        return f"`{name}` belongs to each mapping and cannot be a default", ""
    return f"`{name}` cannot be a name", f"names look like {fault.examples}"


def _note_unknown(fault: _Fault, findings: Findings) -> list[Steps]:
    allowed = list(fault.schema.get("properties", ()))
    unknown = [name for name in fault.instance if name not in allowed]
    for name in unknown:
        hint = _meant(name, allowed)
        findings.add((*fault.at, name), f"`{shown(name)}` is not a setting here", hint, key=True)
    return [(*fault.at, name) for name in unknown]


def _meant(name: str, allowed: list[str]) -> str:
    """What an unknown setting was meant to be: a habit from elsewhere, a slip, or one of the few there are."""
    habit = _HABITS.get(name.lower(), "")
    if habit in allowed or habit in _ELSEWHERE:
        return f"did you mean `{habit}`?"
    close = did_you_mean(name.lower().replace("-", "_"), allowed)
    return close or ("allowed: " + ", ".join(allowed) if len(allowed) <= 12 else "")


def did_you_mean(name: str, known: list[str]) -> str:
    """The hint for a name that is not among those known; empty when none is close."""
    close = get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else ""


def _sentence(fault: _Fault) -> tuple[str, str]:
    """What is wrong with a value, and a hint."""
    if fault.keyword == "type":
        return _wrong_type(fault)
    if fault.keyword == "enum":
        return _not_among(fault)
    said = _quoted(fault)
    known = "leave the quotes out" if str(fault.instance) == str(fault.wanted) else f"it knows {fault.wanted}"
    sentences = {
        "const": (f"{said} is not known to this program", known),
        "pattern": (f"{said} does not fit", f"write it like {fault.examples}"),
        "minimum": (f"must be at least {fault.wanted}", ""),
        "maximum": (f"must be at most {fault.wanted}", ""),
        "maxLength": (f"is longer than {fault.wanted} characters", ""),
    }
    return sentences.get(fault.keyword, ("is empty", "remove it, or fill it in"))


def _wrong_type(fault: _Fault) -> tuple[str, str]:
    wanted = [fault.wanted] if isinstance(fault.wanted, str) else fault.wanted
    names = " or ".join(_TYPES[kind] for kind in wanted if kind != "null")
    if fault.instance is None:
        return f"is empty, should be {names}", "remove it, or fill it in"
    said = _quoted(fault)
    return f"should be {names}, is {said}", _type_hint(fault, wanted, said)


def _type_hint(fault: _Fault, wanted: list[str], said: str) -> str:
    if fault.examples:
        return f"write it like {fault.examples}"
    if "string" in wanted and isinstance(fault.instance, (bool, int, float)):
        return "put it in quotes"
    if not isinstance(fault.instance, str):
        return ""
    if fault.instance and _KINDS.get(type(_unquoted(fault.instance))) in wanted:
        return "leave the quotes out"
    if "boolean" in wanted and fault.instance.lower() in _SAID_AS_BOOL:
        return f"did you mean `{_SAID_AS_BOOL[fault.instance.lower()]}`?"
    return f'write ["{said[1:-1]}"]' if wanted == ["array"] else ""


def _unquoted(text: str) -> object:
    try:
        return scalar(text)
    except OverflowError:
        return text


def _not_among(fault: _Fault) -> tuple[str, str]:
    words = [_word(choice) for choice in fault.wanted]
    said = _word(fault.instance).lower()
    hint = did_you_mean(_SAID_AS_BOOL.get(said, said) if "true" in words else said, words)
    return f"{_quoted(fault)} is not one of {', '.join(words)}", hint


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(fault: _Fault) -> str:
    """The value as a message may show it: short, escaped, and never a secret's."""
    if isinstance(fault.instance, dict):
        return _TYPES["object"]
    if isinstance(fault.instance, list):
        return _TYPES["array"]
    if fault.at[:2] in _SENT or any(looks_secret(str(step)) for step in fault.at):
        return f"`{MASK}`"
    text = _word(fault.instance)
    return f"`{shown(text if len(text) <= 60 else text[:57] + '…')}`"
