"""A directory sent by the Databricks SDK's own upload calls: what people write who have no tool.

python databricks_peer.py SOURCE TARGET THREADS
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import sys

from databricks.sdk import WorkspaceClient


def main() -> None:
    """`Files.upload` for a volume, `Dbfs.upload` for DBFS; one thread is the plain loop."""
    source, target, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    client = WorkspaceClient()
    upload = client.files.upload if target.startswith("/Volumes/") else client.dbfs.upload

    def send(file: Path) -> None:
        with file.open("rb") as content:
            upload(f"{target}/{file.relative_to(source).as_posix()}", content, overwrite=True)

    files = [path for path in source.rglob("*") if path.is_file()]
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(send, files):
            pass


if __name__ == "__main__":
    main()
