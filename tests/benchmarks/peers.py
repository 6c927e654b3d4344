"""How each program is asked to do the same piece of work: ours by its spec, the peers by their flags."""

from __future__ import annotations

from dataclasses import dataclass
import json
import os
from pathlib import Path
import subprocess
import sys

from tests.benchmarks.measure import Argv, BenchmarkError
from tests.benchmarks.servers import BUCKET, KEYS, REGION, s5cmd, tool

WORKERS = 32


def reconcile(folder: Path, *words: str) -> Argv:
    """Our command, on the spec in `folder`."""
    return [tool("reconcile"), "-C", folder, *words]


def run_quietly(argv: Argv) -> None:
    """Runs what makes the ground ready; it must end well."""
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def write_spec(folder: Path, source: Path, target: str, *, endpoint: str = "") -> None:
    """A spec with one mapping; a fresh folder means a fresh state."""
    folder.mkdir(parents=True, exist_ok=True)
    stores = {"bench": {"url": f"s3://{BUCKET}", "endpoint": endpoint, "region": REGION}} if endpoint else {}
    spec = {"version": 1, "stores": stores, "mappings": {"tree": {"source": str(source), "target": target}}}
    (folder / "reconcile.yaml").write_text(json.dumps(spec, indent=1), encoding="utf-8")


def nothing_to_do(said: str) -> None:
    """Our plan must have found everything in sync."""
    if "No changes." not in said:
        raise BenchmarkError(f"the plan is not empty:\n{said[-2000:]}")


def all_done(said: str) -> None:
    """Our apply must have left nothing to do."""
    if "Nothing left to do" not in said and "No changes." not in said:
        raise BenchmarkError(f"something is left to do:\n{said[-2000:]}")


def silent(said: str) -> None:
    """A peer that lists what it would send must have listed nothing."""
    if said.strip():
        raise BenchmarkError(f"the peer would send something:\n{said[:2000]}")


@dataclass(frozen=True)
class Peers:
    """The peers' commands against one endpoint."""

    endpoint: str

    @property
    def env(self) -> dict[str, str]:
        """Keys for all, and a remote named `b` for rclone."""
        rclone = {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_B_TYPE": "s3",
            "RCLONE_CONFIG_B_PROVIDER": "Other",
            "RCLONE_CONFIG_B_ENDPOINT": self.endpoint,
            "RCLONE_CONFIG_B_ENV_AUTH": "true",
            "RCLONE_CONFIG_B_REGION": REGION,
            "RCLONE_CONFIG_B_LIST_VERSION": "2",
            "RCLONE_CONFIG_B_NO_CHECK_BUCKET": "true",
        }
        return KEYS | rclone | {"AWS_EC2_METADATA_DISABLED": "true"}

    def rclone(self, source: Path, prefix: str, *flags: str) -> Argv:
        """`rclone sync`, as many transfers as the others have workers."""
        return [tool("rclone"), "sync", *flags, f"--transfers={WORKERS}", source, f"b:{BUCKET}/{prefix}"]

    def s5cmd(self, verb: str, source: Path, prefix: str, *flags: str) -> Argv:
        """`s5cmd cp` or `sync`."""
        what = source if source.is_file() else f"{source}/*"
        start = [s5cmd(), "--endpoint-url", self.endpoint, f"--numworkers={WORKERS}"]
        return [*start, *flags, verb, what, f"s3://{BUCKET}/{prefix}/"]

    def aws(self, source: Path, prefix: str, *flags: str) -> Argv:
        """`aws s3 sync`."""
        start = [sys.executable, tool("aws"), "--endpoint-url", self.endpoint, "s3", "sync", "--only-show-errors"]
        return [*start, *flags, source, f"s3://{BUCKET}/{prefix}"]
