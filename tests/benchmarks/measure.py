"""What one command costs as a whole process: wall time, processor time, peak memory; rivals taken in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import os
from pathlib import Path
import resource
from statistics import median
import subprocess
import tempfile
import threading
import time
from typing import BinaryIO

TAIL_BYTES = 4096
Argv = Sequence[str | Path]


class BenchmarkError(RuntimeError):
    """A command did not do what it was timed for."""


@dataclass(frozen=True)
class Contender:
    """A command to be timed. `argv(round)` gives it for one round; `before(round)` makes the ground even.

    `check` looks at the end of what the command said (stdout), untimed; where there is none, it speaks to nobody.
    """

    name: str
    argv: Callable[[int], Argv]
    env: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[int], None] = lambda _round: None
    check: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Case:
    """Contenders for one piece of work of `count` paths (or other units); the ratios are to `yardstick`.

    `remarks` says, when all have run, what stands below the table.
    """

    title: str
    count: int
    contenders: Sequence[Contender]
    yardstick: str
    unit: str = "path"
    remarks: Callable[[], str] = str


def without(case: Case, names: Sequence[str]) -> Case:
    """The case without the contenders whose name holds one of `names`; the next rival is the yardstick if it went."""
    left = [each for each in case.contenders if not any(name in each.name for name in names)]
    yardstick = case.yardstick if any(each.name == case.yardstick for each in left) else left[-1].name
    return replace(case, contenders=left, yardstick=yardstick)


@dataclass(frozen=True)
class Sample:
    """One run of one command: seconds on the wall, seconds of processor (user + system), bytes of peak memory."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    timed_out: bool = False


def run_once(contender: Contender, number: int, *, limit_s: float) -> Sample:
    """Runs a command once, whole process; its children count, as far as it waits for them."""
    contender.before(number)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        argv = [str(part) for part in contender.argv(number)]
        start = time.perf_counter()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out if contender.check else subprocess.DEVNULL,
            stderr=err,
            env=os.environ | dict(contender.env),
        )
        timed_out, status, usage = _wait(process, start + limit_s)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if not timed_out:
            _check(contender, process.returncode, _text(out), _text(err))
    return Sample(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, timed_out)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> tuple[bool, int, resource.struct_rusage]:
    """Waits for the end, or kills at the deadline; the resource usage comes with the exit status."""
    late = threading.Timer(deadline - time.perf_counter(), process.kill)
    late.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        late.cancel()
    return time.perf_counter() >= deadline, status, usage


def _text(file: BinaryIO) -> str:
    """The end of a file: this process stays small, for its size is the floor of the peaks it measures."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
    return file.read().decode(errors="replace")


def _check(contender: Contender, code: int, said: str, complained: str) -> None:
    if code != 0:
        raise BenchmarkError(f"{contender.name} ended with {code}:\n{said}{complained}")
    if contender.check:
        contender.check(said)


def run_rounds(case: Case, *, rounds: int, limit_s: float, tell: Callable[[str], None]) -> dict[str, list[Sample]]:
    """Runs all contenders in turns: one warming round that does not count, then `rounds` that do.

    A contender that ran out of time once is not asked again.
    """
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in case.contenders}
    late: set[str] = set()
    for number in range(rounds + 1):
        for contender in case.contenders:
            if contender.name in late:
                continue
            sample = run_once(contender, number, limit_s=limit_s)
            tell(f"  {number}/{rounds} {contender.name}: {sample.wall_s:.2f} s, {sample.peak_bytes >> 20} MiB")
            if sample.timed_out:
                late.add(contender.name)
            if number or sample.timed_out:
                samples[contender.name].append(sample)
    return samples


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure by itself."""
    return Sample(
        median(sample.wall_s for sample in samples),
        median(sample.cpu_s for sample in samples),
        int(median(sample.peak_bytes for sample in samples)),
        any(sample.timed_out for sample in samples),
    )


def table(case: Case, samples: Mapping[str, Sequence[Sample]]) -> str:
    """One Markdown table: medians, spread of the wall time, ratio to the yardstick."""
    base = middle(samples[case.yardstick])
    lines = [
        f"**{case.title}**",
        "",
        f"| command | wall s (min to max) | ratio | CPU s | {case.unit}s per CPU s | µs per {case.unit} | peak MiB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for contender in case.contenders:
        runs = samples[contender.name]
        mid, walls = middle(runs), [sample.wall_s for sample in runs]
        wall = f"> {mid.wall_s:.0f}" if mid.timed_out else f"{mid.wall_s:.3f} ({min(walls):.3f} to {max(walls):.3f})"
        figures = [
            wall,
            f"{'> ' * mid.timed_out}{mid.wall_s / base.wall_s:.2f}",
            f"{mid.cpu_s:.2f}",
            "" if mid.timed_out else f"{case.count / mid.cpu_s:,.0f}",
            "" if mid.timed_out else f"{mid.wall_s / case.count * 1e6:.2f}",
            f"{mid.peak_bytes / 2**20:.0f}",
        ]
        lines.append(f"| {contender.name} | " + " | ".join(figures) + " |")
    return "\n".join(lines)
