"""Plan and apply for files and data."""

from __future__ import annotations

__version__ = "0.1.0"
