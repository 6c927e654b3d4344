"""Cases that failed once, and every case a test prints when it fails: one line of JSON each, in `tests/seeds/`."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import random
from typing import NamedTuple

from reconcile.core.policy import Policy
from tests.planner.trial import trial
from tests.planner.worlds import Operation, Story, random_story, told

SEEDS = Path(__file__).parents[1] / "seeds" / "planner.jsonl"
POLICIES: tuple[dict[str, object], ...] = (
    {},
    {"keep": "never"},
    {"delete": False},
    {"unmanaged": "delete"},
    {"drift": "keep"},
    {"drift": "fail"},
    {"conflict": "source"},
    {"conflict": "target"},
    {"conflict": "source", "drift": "keep", "unmanaged": "delete"},
    {"conflict": "target", "keep": "never", "delete": False},
)


class Case(NamedTuple):
    """A story under a policy, on a store of files (`tree`) or of objects."""

    story: Story
    policy: dict[str, object]
    tree: bool

    def run(self, *, twice: bool = False) -> None:
        """Raises `AssertionError` with the line that replays it."""
        try:
            trial(self.story.world, Policy(**self.policy), tree=self.tree, twice=twice)  # type: ignore[arg-type]
        except Exception as error:
            raise AssertionError(f"{error}\nkeep it in {SEEDS}:\n{self.line()}") from error

    def line(self) -> str:
        base = {key: data.decode() for key, data in self.story.tree.items()}
        deeds = [[*deed[:3], deed.data.decode()] for deed in self.story.deeds]
        return json.dumps({"base": base, "deeds": deeds, "policy": self.policy, "tree": self.tree})


def kept() -> Iterator[Case]:
    """The cases that failed once."""
    for line in SEEDS.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        base = {key: data.encode() for key, data in case["base"].items()}
        deeds = [Operation(*deed[:3], deed[3].encode()) for deed in case["deeds"]]
        yield Case(told(base, deeds), case["policy"], case["tree"])


def random_case(seed: int) -> Case:
    """The same for the same seed."""
    chance = random.Random(seed)
    return Case(random_story(chance), chance.choice(POLICIES), chance.random() < 0.5)
