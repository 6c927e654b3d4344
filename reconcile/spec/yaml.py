"""YAML as values and positions: one pass over the parser's events, refusing what could surprise or explode.

Scalars follow the YAML 1.2 core schema, and stricter: `no`, `on`, `012` and `12:30:45` are text, `.inf` and `.nan` too.
Keys are always text. Tags, duplicate keys, second documents, numbers beyond 64 bits and documents that are too large,
too deep or too much once their aliases are expanded are errors.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

from reconcile.core.errors import SpecError
from reconcile.core.path import shown
from reconcile.spec.document import Document, Mark, Steps, problem_line

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 64

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT: Final = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_BASES: Final = {"0x": 16, "0o": 8}


class _Text(NamedTuple):
    mark: Mark
    text: str
    plain: bool


class _List(NamedTuple):
    mark: Mark
    items: list[_Node]


class _Table(NamedTuple):
    mark: Mark
    pairs: list[tuple[_Text, _Node]]


_Node: TypeAlias = _Text | _List | _Table


def parse(text: str | bytes, file: str = "") -> Document:
    """The one document in `text`; `SpecError` with line and column for everything that is not plain, bounded YAML."""
    composer = _Composer(_decoded(text, file), file)
    root = composer.document()
    if composer.problems:
        raise SpecError(composer.problems, path=file)
    return _Expander(file).document(root)


def value(text: str) -> Any:
    """The value of a snippet of YAML, as a command line gives one: `5`, `true`, `[a, b]`, or text."""
    return parse(text).value


def scalar(text: str) -> object:
    """What an unquoted scalar means in the YAML 1.2 core schema; `OverflowError` for a number beyond 64 bits."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return _float(text)
    return text


def _integer(text: str) -> int:
    if len(text) > 20:
        raise OverflowError
    number = int(text, _BASES.get(text[:2], 10))
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise OverflowError
    return number


def _decoded(text: str | bytes, file: str) -> str:
    """The text without a byte order mark; its size and encoding are checked first."""
    if len(text) > MAX_BYTES:
        raise SpecError([problem_line(file, Mark(1, 1), (), f"larger than {MAX_BYTES // 2**20} MiB")], path=file)
    try:
        raw = text.encode() if isinstance(text, str) else text
        return raw.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        mark = Mark(before.count(b"\n") + 1, column)
        raise SpecError([problem_line(file, mark, (), "not UTF-8; save the file as UTF-8")], path=file) from error
    except UnicodeEncodeError as error:
        raise SpecError([problem_line(file, Mark(1, 1), (), "not valid Unicode")], path=file) from error


class _Composer:
    """Turns the parser's events into nodes; never deeper than `MAX_DEPTH`, so that no input can exhaust the stack."""

    def __init__(self, text: str, file: str) -> None:
        import yaml  # noqa: PLC0415  30 ms that only a spec needs

        self._yaml = yaml
        self._loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        self._text = text
        self._file = file
        self._anchors: dict[str, _Node | None] = {}
        self._count = 0
        self.problems: list[str] = []

    def document(self) -> _Node:
        """The root of the only document; an empty file is null."""
        self._next()
        start = self._next()
        if isinstance(start, self._yaml.StreamEndEvent):
            return _Text(Mark(1, 1), "", plain=True)
        root = self._node(self._next(), 0)
        self._next()
        after = self._next()
        if not isinstance(after, self._yaml.StreamEndEvent):
            self._refuse(after, "a second document begins here; one file holds one document")
        return root

    def _next(self) -> Any:
        try:
            return self._loader.get_event()
        except self._yaml.YAMLError as error:
            place, message = self._unreadable(error)
            raise SpecError([problem_line(self._file, place, (), message)], path=self._file) from error

    def _unreadable(self, error: Any) -> tuple[Mark, str]:
        """Where the parser gave up, and why, in words."""
        mark = getattr(error, "problem_mark", None)
        if mark is None:
            # The parser counts bytes of the UTF-8 it was given.
            before = self._text.encode()[: getattr(error, "position", 0)].decode(errors="ignore")
            line_start = before.rfind("\n") + 1
            return Mark(before.count("\n") + 1, len(before) - line_start + 1), "holds a control character"
        place = Mark(mark.line + 1, mark.column + 1)
        at = self._text[mark.index : mark.index + 1]
        if at == "\t":
            return place, "a tab; indent with spaces"
        if "cannot start any token" in error.problem:
            return place, f"`{shown(at)}` cannot begin a value; put it in quotes"
        return place, f"not YAML: {shown(error.problem or 'cannot be read')}"

    def _node(self, event: Any, depth: int) -> _Node:
        yaml = self._yaml
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_NODES:
            self._refuse(event, "nested too deep" if depth > MAX_DEPTH else f"more than {MAX_NODES:,} values")
        if event.tag is not None:
            self._note(event, f"tags such as `{shown(event.tag)}` are not allowed")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        mark = _mark(event)
        node: _Node
        if isinstance(event, yaml.ScalarEvent):
            node = _Text(mark, event.value, plain=not event.style)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = _List(mark, self._items(depth))
        else:
            node = _Table(mark, self._pairs(depth))
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            inside = event.anchor in self._anchors
            self._refuse(event, f"`*{shown(event.anchor)}` " + ("contains itself" if inside else "was never defined"))
        return node

    def _items(self, depth: int) -> list[_Node]:
        items = []
        while not isinstance(event := self._next(), self._yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _pairs(self, depth: int) -> list[tuple[_Text, _Node]]:
        pairs: list[tuple[_Text, _Node]] = []
        first: dict[str, Mark] = {}
        while not isinstance(event := self._next(), self._yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, _Text):
                self._refuse(event, "a key must be text")
            # An alias used as a key stands where it is used, not where it was defined.
            key = key._replace(mark=_mark(event))
            if key.text in first:
                self._note(event, f"`{shown(key.text)}` stands here twice; first in line {first[key.text].line}")
            first.setdefault(key.text, key.mark)
            pairs.append((key, self._node(self._next(), depth + 1)))
        return pairs

    def _note(self, event: Any, message: str) -> None:
        self.problems.append(problem_line(self._file, _mark(event), (), message))

    def _refuse(self, event: Any, message: str) -> NoReturn:
        self._note(event, message)
        raise SpecError(self.problems, path=self._file)


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


class _Expander:
    """Nodes to values, aliases expanded; counts what comes out, so that a few lines cannot become a billion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0
        self._marks: dict[Steps, Mark] = {}
        self._keys: dict[Steps, Mark] = {}
        self._written: dict[Steps, str] = {}
        self._problems: list[str] = []

    def document(self, root: _Node) -> Document:
        """The whole tree."""
        value = self._value(root, ())
        if self._problems:
            raise SpecError(self._problems, path=self._file)
        return Document(value, self._file, self._marks, self._keys, self._written)

    def _value(self, node: _Node, at: Steps) -> object:
        self._count += 1
        if self._count > MAX_NODES or len(at) > MAX_DEPTH:
            line = problem_line(
                self._file, node.mark, (), f"aliases expand to more than {MAX_NODES:,} values, or nest too deep"
            )
            raise SpecError([line], path=self._file)
        self._marks[at] = node.mark
        if isinstance(node, _Text):
            return self._scalar(node, at)
        if isinstance(node, _List):
            return [self._value(item, (*at, index)) for index, item in enumerate(node.items)]
        for key, _ in node.pairs:
            self._keys[*at, key.text] = key.mark
        return {key.text: self._value(item, (*at, key.text)) for key, item in node.pairs}

    def _scalar(self, node: _Text, at: Steps) -> object:
        if not node.plain:
            return node.text
        self._written[at] = node.text
        try:
            return scalar(node.text)
        except OverflowError:
            message = "a number beyond 64 bits; put it in quotes if it is text"
            self._problems.append(problem_line(self._file, node.mark, at, message))
            return node.text
