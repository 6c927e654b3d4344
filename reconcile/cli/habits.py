"""What users of Terraform, rclone and aws type by habit, and our word for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import click

_IN_SPEC: Final = "a setting of the mapping in the spec"

FLAGS: Final = {
    "--auto-approve": ("-auto-approve", "--yes", "-y"),
    "--out": ("-out",),
    "--path GLOB` or `--mapping NAME": ("-target", "--target"),
    "--refresh-only": ("-refresh-only",),
    "--no-refresh": ("-refresh",),
    "--detailed-exitcode": ("-detailed-exitcode",),
    "--destroy": ("-destroy",),
    "--resend": ("-replace", "--ignore-times", "-I"),
    "--lock-timeout": ("-lock-timeout",),
    "--json": ("-json",),
    "--no-color": ("-no-color",),
    "--version": ("-version", "version"),
    "--var NAME=VALUE": ("-var",),
    "variables: in the spec, or --var NAME=VALUE": ("-var-file", "--var-file"),
    "-C DIR": ("-chdir", "--chdir"),
    "plan`, or `apply --dry-run": ("--dry-run", "--dryrun", "-n", "--preview"),
    "--select": ("--interactive", "-i"),
    "--concurrency": ("--parallelism", "-parallelism", "--transfers", "--checkers", "--numworkers", "-j"),
    "--checksum": ("-c",),
    "-v": ("--log-level", "--debug"),
    "the default: without a terminal nothing is ever asked": ("-input", "--no-input"),
    "the default: progress is shown on a terminal": ("--progress", "-P"),
    "the default: a rename is a move": ("--track-renames",),
    "the default: deletes come last": ("--delete-after", "--delete-during", "--delete-before"),
    "pip install --upgrade reconcile: stores are a part of it": ("-upgrade", "--upgrade"),
    "the spec's state:, and `reconcile state push` to move it": ("-reconfigure", "-migrate-state", "-backend-config"),
    "the spec's guard: {max_delete: …}, or --allow deletes": ("--max-delete",),
    "the spec's unmanaged: delete (what is ours is deleted anyway)": ("--delete", "--delete-excluded"),
    "--allow, or --resend to send everything again": ("--force",),
    f"exclude: [GLOB…], {_IN_SPEC}; sync --set 'exclude=[GLOB]'": ("--exclude", "--exclude-from", "--filter"),
    f"include: [GLOB…], {_IN_SPEC}; sync --set 'include=[GLOB]'": ("--include", "--include-from", "--files-from"),
    f"max_size: 5GiB, {_IN_SPEC}; sync --set max_size=5GiB": ("--max-size",),
    f"min_size: 1KiB, {_IN_SPEC}; sync --set min_size=1KiB": ("--min-size",),
    f"symlinks: follow, {_IN_SPEC}; sync --set symlinks=follow": ("--copy-links", "-L", "--follow-symlinks"),
    f"keep: always, {_IN_SPEC}: old bytes are kept for rollback": ("--backup-dir", "--backup"),
    "stores: {NAME: {endpoint: …}} in the spec; a target s3://BUCKET/PREFIX?endpoint=URL": (
        "--endpoint-url",
        "--s3-endpoint",
        "--endpoint",
    ),
    "stores: {NAME: {profile: …}} in the spec; a target s3://BUCKET/PREFIX?profile=NAME": ("--profile",),
    "stores: {NAME: {region: …}} in the spec; a target s3://BUCKET/PREFIX?region=NAME": ("--region",),
}
"""Ours → what others type. Where ours is not all to be typed, it says so."""

VERBS: Final = {
    "apply": ("up",),
    "apply --resend": ("taint",),
    "plan": ("diff", "preview"),
    "plan --refresh-only": ("refresh",),
    "sync SOURCE TARGET": ("copy", "cp", "bisync"),
    "verify": ("check", "cryptcheck"),
    "adopt": ("import",),
    "rollback": ("undo", "revert", "restore"),
    "gc": ("cleanup", "prune"),
    "destroy": ("purge", "delete"),
    "create": ("mb", "mkdir"),
    "unlock": ("force-unlock",),
    "validate": ("fmt",),
    "--help`, or of one verb `VERB --help": ("help",),
    "apply`, after it is gone from the source (all that is ours: `destroy": ("rm", "deletefile"),
    "ls": ("lsl", "lsf", "lsd", "tree", "size", "output"),
    "state list": ("list",),
}

HABITS: Final = {theirs: ours for table in (FLAGS, VERBS) for ours, many in table.items() for theirs in many}
"""What is typed → our word for it."""


def answers(arguments: Sequence[str], error: click.ClickException) -> Iterator[str]:
    """For each argument that is another program's word, and may be what `error` is about, a line with ours."""
    for argument in arguments:
        name = argument.partition("=")[0]
        if name in HABITS and _is_about(error, name):
            yield f"`{argument}` is `{HABITS[name]}` here."


def _is_about(error: click.ClickException, name: str) -> bool:
    """A flag in one dash is read letter by letter: the first that is none of ours is complained of."""
    if not isinstance(error, click.NoSuchOption):
        return not name.startswith("-")
    wrong = error.option_name
    return name == wrong or (name.startswith("-") and not name.startswith("--") and wrong[1:] in name)
