"""The long forms of what every commit tries in the small, each in numbered pieces: the same piece is the same work.

A campaign goes through its pieces from the `first` on and tells after each what it did, by words and numbers. What
fails raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count, islice
from pathlib import Path
import random
import re
import shutil
import subprocess
import sys
import time
from typing import Final, NamedTuple

import pytest

from reconcile.state import alive
from tests.crash.deeds import DEEDS
from tests.crash.everything import ready
from tests.crash.faulty import ERRNOS, Fault, Trial
from tests.crash.kinds import KINDS, of_kind, place
from tests.crash.room import Room
from tests.crash.seeds import keep
from tests.crash.stills import Stills
from tests.crash.sweep import RECOVERY
from tests.crash.test_disk_faults import due
from tests.crash.test_histories import played, server_for
from tests.crash.test_power_loss import STORIES as POWER_STORIES
from tests.crash.test_power_loss import Stage as PowerStage
from tests.crash.test_state_sweep import Sweep, steps
from tests.crash.test_table_kill import deaths
from tests.crash.test_table_wire import played as played_wire
from tests.fakes.s3 import FakeS3
from tests.fault.s3_service import S3Service
from tests.fault.stories import STORIES, small_limits
from tests.fault.storm import Stage, sweep
from tests.fault.watched import WatchedS3
from tests.fuzz.mutate import mutant
from tests.fuzz.targets import TARGETS
from tests.fuzz.test_fuzz import tried
from tests.planner.little import one_thread
from tests.planner.seeds import POLICIES, Case, random_case
from tests.planner.test_planner import CONTENTS
from tests.planner.worlds import everything
from tests.stores.table_kit import ENGINES

Counts = dict[str, int]


class Around(NamedTuple):
    """What a campaign has around it."""

    folder: Path
    patch: pytest.MonkeyPatch
    request: pytest.FixtureRequest


WIDE_NAMES: Final = ("a", "a/b", "b", "c")
WIDE_WORLDS: Final = 227_624
"""What four names, of which three stand in the tree it begins with, and three operations make."""
WORLDS_A_PIECE: Final = 200
WIDE_PIECES: Final = -(-WIDE_WORLDS // WORLDS_A_PIECE)
SEEDS_A_PIECE, SEED_PIECES, FIRST_SEED = 2_000, 225, 1_000_000


def planner(first: int, _around: Around) -> Iterator[Counts]:
    """Every world of four names under every policy on files and on objects; then 450,000 larger ones by lot."""
    with one_thread():
        stories = islice(everything(WIDE_NAMES, CONTENTS, paths=3, steps=3), first * WORLDS_A_PIECE, None)
        for _ in range(first, WIDE_PIECES):
            block = list(islice(stories, WORLDS_A_PIECE))
            for story in block:
                for policy in POLICIES:
                    Case(story, policy, tree=False).run()
                    Case(story, policy, tree=True).run()
            yield {"worlds": len(block), "cases": 2 * len(POLICIES) * len(block)}
        for piece in range(max(first - WIDE_PIECES, 0), SEED_PIECES):
            for seed in range(piece * SEEDS_A_PIECE, (piece + 1) * SEEDS_A_PIECE):
                random_case(FIRST_SEED + seed).run()
            yield {"larger worlds": SEEDS_A_PIECE, "cases": SEEDS_A_PIECE}


KINDS_BY_LOT: Final = ("local",) * 16 + ("s3",) * 2 + ("shared", "shared-s3")
"""Where there is no network a point costs a third."""


def moments(first: int, _around: Around) -> Iterator[Counts]:
    """What is left at each moment of every run; then of recoveries by lot, after one, two or three deaths."""
    whole = [(kind, scenario) for kind in KINDS for scenario in of_kind(kind)]
    for piece in count(first):
        chance = random.Random(piece)
        kind = chance.choice(KINDS_BY_LOT)
        kind, scenario = whole[piece] if piece < len(whole) else (kind, chance.choice(of_kind(kind)))
        with place(kind) as where:
            stills = Stills(scenario, where)
            if piece < len(whole):
                points = stills.spread(len(stills.steps()))
            else:
                points = stills.nested(chance.randrange(1, 4), range(RECOVERY), chance)
            try:
                stills.judge(points)
            except Exception:
                if stills.failed:
                    keep({"scenario": scenario.name, "place": kind, "moments": stills.failed})
                raise
        yield {"points": stills.points, "pictures": stills.looked_at}


def kill(first: int, _around: Around) -> Iterator[Counts]:
    """`SIGKILL` at moments by lot, half of them with three more in the recoveries; sixteen of twenty pieces local."""
    with Room() as room:
        for piece in count(first):
            kind = KINDS_BY_LOT[piece % len(KINDS_BY_LOT)]
            scenarios = of_kind(kind)
            scenario = scenarios[piece // len(KINDS_BY_LOT) % len(scenarios)]
            told = room.ask(kind=kind, scenario=scenario.name, lots=20, seed=piece)
            for failed in told["failed"]:
                keep(failed["seed"])
            assert told["failed"] == []
            yield {"points": told["points"], "deaths": sum(told["died_at"].values())}


def power(first: int, around: Around) -> Iterator[Counts]:
    """The power fails: images of one recorded run."""
    for piece in count(first):
        chance = random.Random(piece)
        name = chance.choice([*POWER_STORIES, "apply", "apply", "first"])
        seeds = [chance.randrange(1 << 32) for _ in range(3 if name == "recovery" else 50)]
        root = around.folder / "world"
        images = PowerStage.of(name, root, around.patch).play(seeds, around.patch)
        shutil.rmtree(root)
        yield {"images": images, "runs": 1}


def disk(first: int, around: Around) -> Iterator[Counts]:
    """Faults at steps of a run by lot; a tenth of them in the run of all actions."""
    around.patch.setattr(alive, "life", lambda _: "dead")
    trials = [Trial(due(around.folder / "little")), Trial(ready(around.folder / "big"))]
    lengths = [trial.steps() for trial in trials]
    for piece in count(first):
        chance = random.Random(piece)
        fired = 0
        for which in [0] * 36 + [1] * 4:
            fault = Fault(chance.randrange(lengths[which]), chance.choice(ERRNOS), late=chance.random() < 0.5)
            fired += bool(trials[which].fail(fault).fired)
        yield {"faults": fired}


def state(first: int, around: Around) -> Iterator[Counts]:
    """Every step of everything that writes a state, with every error, before it and after it."""
    around.patch.setattr(alive, "life", lambda _: "dead")
    pieces = [(name, code) for name in DEEDS for code in ERRNOS]
    made: dict[str, Sweep] = {}
    for name, code in pieces[first:]:
        if name not in made:
            made = {name: Sweep(name, around.folder / name)}
        whole = range(len(steps(made[name])))
        yield {"faults": sum(made[name].fail(Fault(at, code, late=late)) for at in whole for late in (False, True))}


def http(first: int, around: Around) -> Iterator[Counts]:
    """Each request of a run fails in each way, in ever other company."""
    small_limits(around.patch.setattr)
    names = list(STORIES)
    for piece in count(first):
        with WatchedS3() as server, FakeS3() as trap:
            around.patch.setenv("AWS_ENDPOINT_URL", server.endpoint)
            root = around.folder / f"piece-{piece}"
            stage = Stage(root / "world", STORIES[names[piece % len(names)]], S3Service(server, trap.endpoint))
            yield {"faults": sweep(stage, 100, random.Random(piece))}
            assert trap.log == [], "credentials followed a redirect"
        shutil.rmtree(root)


def tables(first: int, around: Around) -> Iterator[Counts]:
    """`SIGKILL` at moments of a run on tables by lot, half of them with two more in the recoveries; a database each."""
    for piece in count(first):
        chance, root = random.Random(piece), around.folder / f"piece-{piece}"

        def lots(moments: int, chance: random.Random = chance) -> list[list[int]]:
            return [[chance.randrange(moments) for _ in range(1 + at % 2 * 2)] for at in range(6)]

        yield {"deaths": deaths(ENGINES[piece % len(ENGINES)], root, around.request, lots)}
        shutil.rmtree(root)


def wire(first: int, around: Around) -> Iterator[Counts]:
    """The wire to PostgreSQL is cut at pieces by lot, before the server has heard, or before we have."""
    for piece in count(first):
        chance, root = random.Random(piece), around.folder / f"piece-{piece}"
        pieces, _ = played_wire(around.request, root / "count", -1)
        cuts = (
            played_wire(around.request, root / str(lot), chance.randrange(pieces), answered=lot % 2 > 0)
            for lot in range(6)
        )
        yield {"cuts": sum(was_cut for _, was_cut in cuts)}
        shutil.rmtree(root)


def histories(first: int, around: Around) -> Iterator[Counts]:
    """Pairs and triples of real applies, ten seeds a piece."""
    kinds = ("local", "local", "local", "shared", "s3")
    for piece in count(first):
        kind = kinds[piece % len(kinds)]
        told = played(kind, 1_000 + 10 * piece, 10, server_for(kind, around.request), around.folder)
        yield {"histories": told["played"], "commits": told["commits"], "fenced": told["fenced"]}


FUZZ_S: Final = 600
ROOT: Final = Path(__file__).parents[2]


def fuzz(first: int, around: Around) -> Iterator[Counts]:
    """Ten minutes for each reader of strangers' bytes in turn: led by what its inputs reach, where atheris runs."""
    around.patch.setenv("RECONCILE_CACHE_DIR", str(around.folder / "cache"))
    names = list(TARGETS)
    guided = find_spec("atheris") is not None
    for piece in count(first):
        name = names[piece % len(names)]
        if guided:
            yield {name: _led(name, around.folder / "corpus" / name)}
            continue
        folder = around.folder / f"fuzz-{piece}"
        folder.mkdir()
        target, ends = TARGETS[name](folder), time.monotonic() + FUZZ_S
        for seed in count(piece * 10**7):
            tried(target, f"{name.replace(' ', '_')}-{seed}", mutant(target.corpus, seed))
            if time.monotonic() > ends:
                break
        shutil.rmtree(folder)
        yield {name: seed + 1 - piece * 10**7}


def _led(name: str, corpus: Path) -> int:
    """How many inputs were tried. The corpus grows from piece to piece, as long as this part of the campaign lasts."""
    words = [sys.executable, "-m", "tests.fuzz.guided", name, str(FUZZ_S), str(corpus)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    told = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert done.returncode == 0, (name, done.stderr.partition("Uncaught Python exception")[2][:2000] or done.stderr)
    assert told, done.stderr
    return int(told[1])


CAMPAIGNS: Final[dict[str, Callable[[int, Around], Iterator[Counts]]]] = {
    one.__name__: one for one in (planner, moments, kill, power, disk, state, http, histories, tables, wire, fuzz)
}
