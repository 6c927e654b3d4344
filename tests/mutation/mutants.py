"""Small changes of a module's meaning, one at a time: each should make a test fail.

A mutant is a place in the module's syntax tree and what stands there instead. What only people read (docstrings,
sentences, annotations) is left alone, and so is what only states an invariant (`assert`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType
from typing import Any, Final

COMPARED: Final = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
COMPUTED: Final = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
CHOICES: Final = (ast.If, ast.IfExp, ast.While)
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
SAID: Final = (ast.Assert, ast.JoinedStr, ast.Raise, ast.ImportFrom, ast.Import)
"""Inside of these nothing is changed: an invariant, words for people, names of modules. A `raise` may go as a whole."""

NOT_RUN: Final = ("annotation", "returns", "decorator_list", "bases", "type_params")
FOR_TYPES: Final = ("TypeVar", "NewType", "ParamSpec", "cast")

Place = tuple[Any, str, int | None]
"""(node, field, index in the field, if it is a list): where the change is made."""


@dataclass(frozen=True)
class At:
    """Where in a module we are; `names` are the classes around it."""

    lines: tuple[int, int] = (1, 1)
    names: tuple[str, ...] = ()
    function: str = ""

    def inside(self, node: ast.AST, field: str) -> At:
        """Where the children of a node in a field are; defaults of a function belong to what is around it."""
        names = (*self.names, node.name) if isinstance(node, (ast.ClassDef, *FUNCTIONS)) else self.names
        if isinstance(node, FUNCTIONS) and field == "body" and not self.function:
            return replace(self, names=names, function=".".join(names))
        return replace(self, names=names) if isinstance(node, ast.ClassDef) else self


@dataclass(frozen=True)
class Mutant:
    """The change number `number` of a file; `told` says what stood there and what stands there now.

    `lines` are the first and the last of the statement it is in (of a compound one, the head), `function` the outermost
    function around it, "" for what runs when the module is loaded.
    """

    file: str
    number: int
    lines: tuple[int, int]
    line: int
    told: str
    function: str = ""

    @property
    def name(self) -> str:
        return f"{self.file}:{self.line}: {self.told} [{self.number}]"


def mutants_of(file: str, root: Path) -> list[Mutant]:
    """All mutants of a module."""
    tree = ast.parse((root / file).read_text(encoding="utf-8"))
    return [
        Mutant(file, number, at.lines, old.lineno, f"{_short(old)} → {_short(new)}", at.function)  # type: ignore[attr-defined]
        for number, (at, _, old, new) in enumerate(_changes(tree, At()))
    ]


def mutated(file: str, number: int, root: Path) -> CodeType:
    """The code of a module with one of its changes made."""
    tree = ast.parse((root / file).read_text(encoding="utf-8"))
    _, (node, name, index), _, new = list(_changes(tree, At()))[number]
    if index is None:
        setattr(node, name, new)
    else:
        getattr(node, name)[index] = new
    return compile(ast.fix_missing_locations(tree), str(root / file), "exec", dont_inherit=True)


def _short(node: ast.AST) -> str:
    told = " ".join(ast.unparse(node).split())
    return told if len(told) <= 90 else f"{told[:60]} … {told[-25:]}"


def _changes(node: ast.AST, at: At) -> Iterator[tuple[At, Place, ast.AST, ast.AST]]:
    """Each change below a node, always in the same order: where it is, place, what stands there, what could."""
    for name, value in ast.iter_fields(node):
        if name in NOT_RUN or (isinstance(node, ast.ClassDef) and name == "keywords"):
            continue
        within = at.inside(node, name)
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_docstring(child) or _is_for_types(child):
                continue
            here = replace(within, lines=_lines(child)) if isinstance(child, ast.stmt) else within
            place = (node, name, index if isinstance(value, list) else None)
            for new in _instead(child):
                yield here, place, child, ast.copy_location(new, child)  # type: ignore[type-var]
            if isinstance(child, CHOICES) and not _turns_round(child.test):
                yield here, (child, "test", None), child.test, _negated(child.test)
            if not isinstance(child, SAID):
                yield from _changes(child, here)


def _lines(statement: ast.stmt) -> tuple[int, int]:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return statement.lineno, max(statement.lineno, last)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_for_types(node: ast.AST) -> bool:
    """What no run ever comes through: imports for annotations, the names of types, the methods of a protocol."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in FOR_TYPES
    return isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases)


def _instead(node: ast.AST) -> Iterator[ast.AST]:
    """What could stand in the place of a node."""
    return _instead_of_statement(node) if isinstance(node, ast.stmt) else _instead_of_value(node)


def _instead_of_statement(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield ast.Pass()
        case ast.Expr(value=ast.Yield() | ast.YieldFrom()):
            yield ast.Expr(ast.Constant(None))
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def _instead_of_value(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            yield _with(node, ops=[COMPARED[type(op)]()])
        case ast.BoolOp(op=op):
            yield _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=op) if type(op) in COMPUTED:
            yield _with(node, op=COMPUTED[type(op)]())
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if value and " " not in value:
            yield ast.Constant(f"{value}X")


def _negated(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def _turns_round(test: ast.expr) -> bool:
    """Whether another change of it is its negation already."""
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1 and not isinstance(test.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE))
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    """The same node but for some fields."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})
