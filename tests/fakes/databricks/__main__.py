"""The emulator as a process of its own: `python -m tests.fakes.databricks --port 0 --volume main.default.landing`."""

from __future__ import annotations

import argparse
from contextlib import suppress
import signal

from tests.fakes.databricks import Emulator


def main() -> None:
    """Serves until it is interrupted, and says where."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.databricks", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="added to every request")
    parser.add_argument("--volume", action="append", default=[], metavar="CATALOG.SCHEMA.VOLUME", help="made at once")
    parser.add_argument("--keep", type=int, default=None, metavar="BYTES", help="of larger files only size and digest")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts it in the background may have it ignored
    emulator = Emulator(port=given.port, latency_s=given.latency, keep_bytes=given.keep)
    for name in given.volume:
        emulator.catalog.add(*name.split("."))
    print(f"DATABRICKS_HOST={emulator.url}", f"DATABRICKS_TOKEN={emulator.token}", sep="\n", flush=True)
    with suppress(KeyboardInterrupt):
        emulator.serve()


if __name__ == "__main__":
    main()
