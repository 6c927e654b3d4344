"""Mutants that are led by what they reach, for as long as wanted: `python -m tests.fuzz.guided READER SECONDS CORPUS`.

Needs atheris (`pip install -e '.[fuzz]'`); `CORPUS` is a directory, in which it keeps what reached something new. How
many inputs were tried stands in the statistics at the end. What fails is kept as by `test_fuzz.py`, and ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
import sys
import tempfile

import atheris

from tests.fuzz.mutate import mutant


def main(words: Sequence[str]) -> None:
    reader, seconds, corpus = words[0], int(words[1]), Path(words[2])
    with atheris.instrument_imports(include=["reconcile"]):
        from tests.fuzz.targets import TARGETS
        from tests.fuzz.test_fuzz import tried

    with tempfile.TemporaryDirectory() as place:
        room = Path(place)
        target = TARGETS[reader](room)
        corpus.mkdir(parents=True, exist_ok=True)
        for data in target.corpus:
            (corpus / sha256(data).hexdigest()).write_bytes(data)
        asked = [f"-max_total_time={seconds}", "-timeout=60"]
        asked += ["-print_final_stats=1", f"-artifact_prefix={place}/", "-rss_limit_mb=4096"]
        name = reader.replace(" ", "_")
        atheris.Setup(
            ["guided", *asked, str(corpus)],
            lambda data: tried(target, f"{name}-{sha256(data).hexdigest()[:16]}", data),
            custom_mutator=changed,
            internal_libfuzzer=True,
        )
        atheris.Fuzz()


def changed(data: bytes, longest_bytes: int, seed: int) -> bytes:
    """By our own changes, which know what such bytes mean, or by those of the library."""
    if seed % 2:
        return mutant([data], seed)[:longest_bytes]
    return bytes(atheris.Mutate(data, longest_bytes))


if __name__ == "__main__":
    main(sys.argv[1:])
