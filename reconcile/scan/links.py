"""Following a symbolic link, and when not to: never out of the root, never into what is never sent."""

from __future__ import annotations

import os

from reconcile.core.path import has_control, is_under


class LeavesError(OSError):
    """The link leads somewhere it may not be followed to."""


def resolved(root: str, key: str) -> str:
    """The key, free of links, of what `key` leads to below `root`; "" for the root itself.

    Raises `LeavesError`, or the `OSError` of a link that dangles or goes in circles. Whoever opens the answer follows
    no further link, so nothing that changes in between can lead outside.
    """
    root = os.path.realpath(root)
    real = os.path.realpath(f"{root}/{key}", strict=True)
    if real != root and not is_under(real, root.rstrip("/")):
        raise LeavesError(0, "the link leads outside the root")
    inside = real[len(root) :].lstrip("/")
    if has_control(inside):
        raise LeavesError(0, "the link leads to what is never sent")
    return inside
