"""The limits of the services. A test may narrow them, so that it need not send gigabytes to meet one."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20
GIB = 1 << 30


@dataclass
class Limits:
    """Sizes in bytes, times in seconds; None is no limit."""

    dbfs_block_bytes: int = MIB
    """add-block, and put by JSON; decoded."""
    dbfs_read_bytes: int = MIB
    dbfs_handle_idle_s: float = 600
    dbfs_list_entries: int | None = None
    """A directory with more of them times out when it is listed (504). The service advises less than 10,000."""
    dbfs_delete_files: int | None = None
    """A recursive delete takes so many files, then says 503 PARTIAL_DELETE: call again."""
    files_put_bytes: int = 5 * GIB
    files_page_entries: int = 1000
    part_bytes: int = 5 * MIB
    """The least size of a part that is not the last."""
    parts: int = 10_000
    url_expires_s: float = 3600
    requests_a_second: int | None = None
    """More of them in one second of the wall clock are answered 429."""
    retry_after: str | None = None
    """What such an answer tells; None: nothing, as the services document no such header."""
    workspace_import_bytes: int = 10 * MIB
    workspace_file_bytes: int = 500 * MIB
    """What may come by import-file, and be exported."""


@dataclass
class Habits:
    """What differs from workspace to workspace, or is not promised at all."""

    sorted_listings: bool = False
    """No listing is documented to have an order, so none has one unless told."""
    implicit_directories_vanish: bool = False
    """On Google Cloud a directory that was only implied goes with its last file."""
    empty_roots_are_missing: bool = False
    """The root of a volume without a file answers 404, to HEAD and to a listing."""
    presigned_urls: bool = True
    """Whether uploads and downloads may go by presigned URLs."""
    notebooks_rewritten: bool = False
    """What is exported of a notebook has other line ends than what was imported, and none at its end."""
