"""A part of a campaign: `python -m tests.campaigns NAME [SECONDS]`; without a name what was done so far.

It goes on where the last part ended, stops after the piece in which the time (600 s) is over or an end is asked for
(Ctrl-C, SIGTERM), writes what it did into `parts.jsonl` and prints the sums. It runs inside pytest: nothing leaves the
machine, and nobody's home is touched.
"""

from __future__ import annotations

import os
from pathlib import Path
import sys

import pytest

from tests.campaigns.ledger import sums

PARTS = Path(__file__).with_name("test_parts.py")


def main(words: list[str]) -> int:
    code = 0
    if words:
        os.environ["CAMPAIGN"], os.environ["CAMPAIGN_S"] = words[0], words[1] if len(words) > 1 else "600"
        code = pytest.main(["-n0", "-m", "campaign", "-p", "no:cacheprovider", f"{PARTS}::test_a_part"])
    print(*sums(), sep="\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
