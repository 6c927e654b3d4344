"""Listings directory by directory that do not end."""

from __future__ import annotations

import pytest

from reconcile.core.entry import ABSENT, Entry
from reconcile.core.errors import DamagedError
from reconcile.stores.tree_list import Page, Pages


@pytest.mark.hazard("R02")
@pytest.mark.parametrize("length", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_pages_that_come_back_are_noticed_however_long_the_circle(length: int, before: int) -> None:
    """One in three holds nothing; each leads on, with a mark that nobody has seen."""
    pages = Pages()

    def page(number: int) -> Page:
        key = str(number if number < before else before + (number - before) % length)
        return Page([Entry(key, 1, ABSENT)] if number % 3 else [], [], f"mark {number + 1}")

    def listing() -> None:
        for number in range(10 * (length + before + 3)):
            pages.check(page(number), "dir", f"mark {number}")

    with pytest.raises(DamagedError, match="in circles"):
        listing()


def test_a_long_directory_is_no_circle() -> None:
    pages = Pages()
    for number in range(5_000):
        pages.check(Page([Entry(str(number), 1, ABSENT)], [], f"mark {number + 1}"), "dir", f"mark {number}")
