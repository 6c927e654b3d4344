"""`reconcile graph`."""

from __future__ import annotations

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import reach, reach_options


@click.command("graph")
@click.option("--format", "form", type=click.Choice(["dot", "mermaid", "svg"]), default="dot", help="How to draw it.")
@reach_options
@global_options
def command(face: Face, form: str, mappings: tuple[str, ...], paths: tuple[str, ...]) -> int:
    """The order of actions as a picture."""
    from reconcile.flow.planning import PlanOptions, make_plan  # noqa: PLC0415 - help needs none
    from reconcile.flow.settling import overlay  # noqa: PLC0415
    from reconcile.report.drawing import dot, drawing, mermaid  # noqa: PLC0415
    from reconcile.report.svg import svg  # noqa: PLC0415

    with face.house(write=False, reach=reach(mappings, paths)) as house, face.listening() as sink:
        bands = drawing(make_plan(house, PlanOptions(overlay=overlay(house)), sink))
    draw = {"dot": dot, "mermaid": mermaid, "svg": svg}[form]
    return face.tell({"mappings": bands}, draw(bands))
