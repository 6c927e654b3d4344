"""Shows plans and results in the form that was asked for."""

from __future__ import annotations

from pathlib import Path

from reconcile.cli.face import Face
from reconcile.core.errors import UsageError
from reconcile.core.plan import Plan

FORMATS = ("text", "json", "markdown", "html")


def show_plan(face: Face, plan: Plan, formats: tuple[str, ...], *, full: bool = False, detailed: bool = False) -> None:
    """Each format on stdout, or in its file (`html=plan.html`)."""
    for wanted in formats or (("json",) if face.json else ("text",)):
        name, _, path = wanted.partition("=")
        if name not in FORMATS:
            raise UsageError(f"there is no format `{name}`", op="--format", hint=", ".join(FORMATS))
        if path:
            with Path(face.at(path)).open("w", encoding="utf-8", errors="backslashreplace") as file:
                _render(face, plan, name, file.write, full=full, detailed=detailed)
        else:
            _render(face, plan, name, face.write, full=full, detailed=detailed)


def _render(face: Face, plan: Plan, name: str, write: object, *, full: bool, detailed: bool) -> None:
    assert callable(write)
    if name == "json":
        from reconcile.report.json import write_plan  # noqa: PLC0415 - only the renderer that is asked for

        write_plan(plan, write, detailed=detailed)
    elif name == "markdown":
        from reconcile.report.markdown import plan_markdown  # noqa: PLC0415

        write(plan_markdown(plan, full=full))
    elif name == "html":
        from reconcile.report.html import plan_html  # noqa: PLC0415

        for piece in plan_html(plan, full=full):
            write(piece)
    else:
        from reconcile.report.text import plan_lines  # noqa: PLC0415

        for line in plan_lines(plan, full=full, color=face.color):
            write(line + "\n")
