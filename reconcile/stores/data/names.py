"""What the columns of a table are called: as the file calls them, made distinct.

Databases compare names of columns without their case, so `id` and `ID` are one name twice. Blank names are given by
position. With an index column the names are those that pandas would have given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

INDEX = "index"


def column_names(header: Sequence[str], *, as_pandas: bool = False) -> tuple[str, ...]:
    """One distinct name for each cell of a header: a second `x` is `x_1` (`x.1`), a blank one `column0` (`Unnamed: 0`).

    A generated name that the header itself has is passed over.
    """
    blank, mark = ("Unnamed: ", ".") if as_pandas else ("column", "_")
    named = [cell if cell.strip() else f"{blank}{position}" for position, cell in enumerate(header)]
    taken = {name.casefold() for name in named}
    seen, names = set[str](), list[str]()
    for name in named:
        own = name if name.casefold() not in seen else next(_free(f"{name}{mark}", taken, 1))
        seen.add(own.casefold())
        taken.add(own.casefold())
        names.append(own)
    return tuple(names)


def index_name(names: Sequence[str]) -> str:
    """What the index column is called beside these: `index`, or `level_0` where there is one already."""
    taken = {name.casefold() for name in names}
    return INDEX if INDEX not in taken else next(_free("level_", taken, 0))


def _free(stem: str, taken: set[str], first: int) -> Iterator[str]:
    return (name for number in count(first) if (name := f"{stem}{number}").casefold() not in taken)
