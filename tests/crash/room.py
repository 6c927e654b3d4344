"""A process of its own in which runs die, started once for many of them.

What dies is forked, and a fork copies only one thread: it works only where no library of ours ever started another. No
process of the tests is like that for long, so the deaths are in a process that does nothing else. It is asked in lines
of JSON, and answers each with one.
"""

from __future__ import annotations

from contextlib import suppress
import gc
import json
from pathlib import Path
import subprocess
import sys
import traceback
from typing import Any, Self

from tests import protocols

ROOT = Path(__file__).parents[2]


class Room:
    """Where one asks. An answer tells `points`, `depths` (by number of deaths), `died_at` (by step) and `failed`."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.crash.room"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, **request: Any) -> dict[str, Any]:
        """A sweep of `kind` and `scenario`: so many `lots`, or the `points` given."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "wrong" not in answer, answer["wrong"]
        return answer


def _answered(kind: str, scenario: str, **chosen: Any) -> dict[str, Any]:
    from tests.crash.kinds import place
    from tests.crash.scenarios import named
    from tests.crash.sweep import Sweep

    with place(kind) as where:
        sweep = Sweep(named(scenario), where)
        failed = []
        for moments in chosen.get("points") or sweep.lots(chosen["lots"], chosen.get("seed", 0)):
            try:
                sweep.point(moments)
            except AssertionError:
                seen = {"scenario": scenario, "place": kind, "moments": list(moments)}
                failed.append({"seed": seen, "why": traceback.format_exc(limit=-3)})
        return {"points": sweep.points, "depths": sweep.depths, "died_at": sweep.died_at, "failed": failed}


def main() -> None:
    """Answers until nobody asks any more.

    Nothing is collected meanwhile: whatever a collection touches, every child that is forked later would have to copy.
    """
    gc.disable()
    protocols.remember()
    for line in sys.stdin:
        try:
            answer = _answered(**json.loads(line))
        except Exception:  # noqa: BLE001 - it is told, and raised there
            answer = {"wrong": traceback.format_exc()}
        with suppress(BrokenPipeError):
            print(json.dumps(answer), flush=True)
        gc.collect()
        gc.freeze()


if __name__ == "__main__":
    main()
