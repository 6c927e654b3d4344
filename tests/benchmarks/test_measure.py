"""The stopwatch itself: what it counts, what it refuses, what it writes."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks import run
from tests.benchmarks.measure import BenchmarkError, Case, Contender, Sample, run_once, run_rounds, table, without

BURN = "import time; end = time.process_time() + 0.1\nwhile time.process_time() < end: pass"


def _python(code, **options):
    return Contender(code, lambda _round: [sys.executable, "-c", code], **options)


def test_it_counts_processor_time_and_memory_of_the_whole_process():
    sample = run_once(_python("held = bytearray(80 << 20)\n" + BURN), 0, limit_s=60)
    assert sample.cpu_s >= 0.1
    assert sample.wall_s >= 0.1
    assert sample.peak_bytes >= 80 << 20


def test_a_command_that_fails_or_does_the_wrong_thing_is_not_timed():
    def never(said):
        raise BenchmarkError(said)

    with pytest.raises(BenchmarkError, match="ended with 3"):
        run_once(_python("raise SystemExit(3)"), 0, limit_s=60)
    with pytest.raises(BenchmarkError, match="wrong"):
        run_once(_python("print('wrong')", check=never), 0, limit_s=60)


def test_a_command_that_takes_too_long_is_given_up_once():
    case = Case("late", 1, [_python("pass"), _python("import time; time.sleep(60)")], "pass")
    samples = run_rounds(case, rounds=2, limit_s=0.5, tell=lambda _line: None)
    assert [len(runs) for runs in samples.values()] == [2, 1]
    assert "| > " in table(case, samples)


def test_the_first_round_only_warms_up():
    seen = []
    case = Case("turns", 1, [_python("pass", before=seen.append), _python("1", before=seen.append)], "pass")
    samples = run_rounds(case, rounds=2, limit_s=60, tell=lambda _line: None)
    assert seen == [0, 0, 1, 1, 2, 2]
    assert [len(runs) for runs in samples.values()] == [2, 2]


def test_the_table_has_medians_and_ratios():
    case = Case("a race", 1000, [_python("ours"), _python("theirs")], "theirs")
    ours = [Sample(wall_s, 1.0, 50 << 20) for wall_s in (3.0, 1.0, 2.0)]
    text = table(case, {"ours": ours, "theirs": [Sample(4.0, 2.0, 10 << 20)]})
    assert "| ours | 2.000 (1.000 to 3.000) | 0.50 | 1.00 | 1,000 | 2000.00 | 50 |" in text


def test_a_table_replaces_what_stood_between_its_marks(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- x:start -->\nold\n<!-- x:end -->\nb\n", encoding="utf-8")
    run.put(readme, "x", "new")
    assert readme.read_text(encoding="utf-8") == "a\n<!-- x:start -->\nnew\n<!-- x:end -->\nb\n"
    with pytest.raises(SystemExit, match="y:start"):
        run.put(readme, "y", "new")


@pytest.mark.parametrize("name", run.BENCHMARKS)
def test_every_benchmark_has_its_place_in_the_readme(name):
    text = run.README.read_text(encoding="utf-8")
    assert f"<!-- {name}:start -->" in text
    assert f"<!-- {name}:end -->" in text


def test_a_rival_may_stay_at_home():
    ours, one, other = (Contender(name, lambda _round: []) for name in ("ours", "`one sync`", "`other sync`"))
    case = Case("title", 1, [ours, one, other], yardstick="`one sync`")
    assert without(case, []) == case
    assert without(case, ["one"]) == Case("title", 1, [ours, other], yardstick="`other sync`")
