"""The wire to PostgreSQL is cut in a run: every table is the old or the new one, and the next run makes it good."""

from dataclasses import replace

import pytest

from tests.crash.test_table_kill import NEW, OLD, check_rows, parsed, tables
from tests.fakes.cut import Wire
from tests.stores.table_kit import made, postgres, world_of  # noqa: F401 - a fixture


def played(request, root, at, **how):
    """Cuts at the `at`-th piece of a run: how many there were, and whether it was cut."""
    server = request.getfixturevalue("postgres")
    with Wire(server.port) as wire, made("postgresql", root, request) as database:
        target, stores, table = database.place
        url = server.url.replace(f":{server.port}/", f":{wire.port}/")
        world = world_of(replace(database, place=(target, {"pg": stores["pg"] | {"url": url}}, table)), root)
        world.put(**OLD)
        world.settled()
        for name in OLD:
            world.remove(name)
        world.put(**NEW)
        wire.cut(at, **how)
        world.apply()
        seen = wire.seen, wire.was_cut
        wire.cut(-1)
        check_rows(tables(database))
        world.settled()
        assert tables(database) == parsed(NEW)
        with world.house(write=False) as house:
            assert list(house.mappings[0].target.leftovers()) == []
        return seen


@pytest.mark.hazard("Q08")
@pytest.mark.parametrize(("at", "answered"), [(4, True)])
def test_the_answer_to_a_commit_is_lost(tmp_path, request, at, answered):
    _, was_cut = played(request, tmp_path, at, marked=b"COMMIT", answered=answered)
    assert was_cut
