"""At a real terminal: the question can be read, Ctrl-C is an answer, a name cannot speak to the terminal."""

from __future__ import annotations

import os
from pathlib import Path
import pty
import sys
import time

import pytest

CLI = Path(sys.executable).with_name("reconcile")
SECONDS = 20.0


def at_terminal(root: Path, words: list[str], prompt: bytes, answers: list[bytes]) -> tuple[int, bytes]:
    """Exit code and everything painted; an answer is typed only when the prompt is the last thing to be seen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(root)
        os.execv(CLI, [str(CLI), *words])
    painted, until = b"", time.monotonic() + SECONDS
    os.set_blocking(terminal, False)
    quiet_since = time.monotonic()
    while time.monotonic() < until:
        try:
            found = os.read(terminal, 65536)
        except BlockingIOError:
            if answers and painted.endswith(prompt) and time.monotonic() - quiet_since > 0.3:
                os.write(terminal, answers.pop(0))
                quiet_since = time.monotonic()
            time.sleep(0.01)
            continue
        except OSError:
            break
        if not found:
            break
        painted += found
        quiet_since = time.monotonic()
    else:
        os.kill(pid, 9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), painted


def test_the_question_stays_to_be_read_and_yes_is_taken(place):
    code, painted = at_terminal(place.root, ["apply"], b"as an answer: ", [b"yes\n"])
    assert code == 0, painted[-300:]
    assert place.there() == {"a.txt", "b.txt", "sub/c.txt"}


@pytest.mark.hazard("T27")
def test_ctrl_c_at_the_question_ends_the_run_at_once_and_frees_the_lock(place):
    code, painted = at_terminal(place.root, ["apply"], b"as an answer: ", [b"\x03"])
    assert (code, b"Traceback" in painted) == (130, False)
    assert not place.there()
    assert place.ok("lock", "show", "--json").json["lock"] is None


@pytest.mark.hazard("S08")
def test_a_name_cannot_speak_to_the_terminal_while_one_chooses(place):
    place.write("docs/evil\x1b]0;pwn\x07", "x")
    code, painted = at_terminal(place.root, ["apply", "--select"], b"skip: ", [b"all\n"])
    assert code == 0, painted[-300:]
    assert b"\x1b]0;pwn" not in painted
    assert len(place.there()) == 4
