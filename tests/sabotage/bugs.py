"""The known bugs: what each does, which tool had it, and the few words of ours that it replaces."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

ROOT = Path(__file__).parents[2]


class Bug(Struct, frozen=True, forbid_unknown_fields=True):
    """`old` stands exactly once in `file`; with `new` in its place, `tests` fail."""

    bug: str
    seen_in: str
    file: str
    old: str
    new: str
    tests: list[str]

    def occurrences(self, root: Path = ROOT) -> int:
        """How often `old` stands in the product; anything but 1 and the bug is out of date."""
        return (root / self.file).read_text(encoding="utf-8").count(self.old)

    def plant(self, root: Path) -> None:
        """Puts the bug into a copy of the product."""
        self._write(root, (root / self.file).read_text(encoding="utf-8").replace(self.old, self.new))

    def heal(self, root: Path) -> None:
        """Takes it out again."""
        self._write(root, (ROOT / self.file).read_text(encoding="utf-8"))

    def _write(self, root: Path, text: str) -> None:
        """Also without the compiled module, which may look as new as the text."""
        path = root / self.file
        path.write_text(text, encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()


def known() -> list[Bug]:
    """All of them, in the order of their files."""
    files = sorted(Path(__file__).with_name("bugs").glob("*.yaml"))
    return [bug for file in files for bug in msgspec.yaml.decode(file.read_bytes(), type=list[Bug])]
