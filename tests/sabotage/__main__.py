"""Tries every known bug: `python -m tests.sabotage [WORD…]`; with words only the bugs whose file or name has one.

Prints a line a bug; with all of them, writes the score into `tests/campaigns/README.md`.
"""

from __future__ import annotations

from datetime import UTC, datetime
import sys
import time

from tests.sabotage.bugs import ROOT, Bug, known
from tests.sabotage.trying import Scratch

README = ROOT / "tests" / "campaigns" / "README.md"
RESULTS = "| date | campaign | what was done | outcome |"
CALL = "`python -m tests.sabotage`"


def main(words: list[str]) -> int:
    chosen = [bug for bug in known() if not words or any(word in f"{bug.file} {bug.bug}" for word in words)]
    caught = 0
    with Scratch() as scratch:
        for number, bug in enumerate(chosen, start=1):
            began = time.monotonic()
            caught += _told(scratch, bug, f"{number}/{len(chosen)}", began)
    print(f"{caught} of {len(chosen)} caught", flush=True)
    if not words:
        _publish(caught, len(chosen))
    return 0 if caught == len(chosen) else 1


def _told(scratch: Scratch, bug: Bug, at: str, began: float) -> bool:
    try:
        verdict = scratch.try_(bug, thorough=True)
    except (RuntimeError, ValueError) as error:
        print(f"{at:>6}  NOT TRIED  {bug.bug}: {error}", flush=True)
        return False
    by = scratch.caught_by() if verdict == "caught" else ""
    print(f"{at:>6}  {verdict:9}  {time.monotonic() - began:6.1f} s  {bug.bug}  {by}", flush=True)
    return verdict == "caught"


def _publish(caught: int, of: int) -> None:
    """The newest score is the first row of the results; the last one goes."""
    today = datetime.now(UTC).date().isoformat()
    row = f"| {today} | {CALL} | {of} known bugs planted one at a time | {caught} of {of} caught |"
    lines = [line for line in README.read_text(encoding="utf-8").splitlines() if f"| {CALL} |" not in line]
    lines.insert(lines.index(RESULTS) + 2, row)
    README.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
