"""Who we are, and whether the process that a lease names still lives.

A process is known by machine and boot, process-id namespace, process id and start time: a pid alone is reused, and is 1
in every container. What cannot be known is "perhaps": then only silence, watched on our own clock, counts.
"""

from __future__ import annotations

from functools import lru_cache
import getpass
import hashlib
import os
from pathlib import Path
import socket
from typing import Literal

from reconcile.ports import Holder

Life = Literal["alive", "dead", "perhaps"]


def user() -> str:
    """The user's name, or the number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid()) if hasattr(os, "getuid") else "?"


def host() -> str:
    """The machine's name, for people."""
    return socket.gethostname()


@lru_cache(maxsize=1)
def boot() -> str:
    """This boot and this machine, `boot/machine`; empty parts where the system does not tell."""
    machine = _text("/etc/machine-id") or _text("/var/lib/dbus/machine-id")
    masked = hashlib.sha256(f"reconcile {machine}".encode()).hexdigest()[:16] if machine else ""
    return f"{_text('/proc/sys/kernel/random/boot_id')}/{masked}"


def started(pid: int) -> str:
    """Start time (ticks since boot) and pid namespace of a living process, "" when unknown or not alive."""
    stat = _text(f"/proc/{pid}/stat")
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in "ZX":
        return ""
    return f"{fields[19]} {_namespace()}"


def life(holder: Holder) -> Life:
    """Whether the holder's process lives, as far as this machine can know."""
    ours, theirs = boot(), holder.boot
    if holder.pid <= 0 or not theirs.strip("/"):
        return "perhaps"
    if theirs == ours and ours[0] != "/":
        return _life_here(holder)
    rebooted = theirs.partition("/")[2] == ours.partition("/")[2] != "" and holder.host == host()
    return "dead" if rebooted else "perhaps"


def _life_here(holder: Holder) -> Life:
    """The same for a process of this boot of this machine."""
    if holder.started.partition(" ")[2] != _namespace():
        return "perhaps"
    return "alive" if started(holder.pid) == holder.started else "dead"


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace").strip()
    except OSError:
        return ""
