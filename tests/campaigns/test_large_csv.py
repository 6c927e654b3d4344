"""A CSV file of a gibibyte, and one of an eighth of it: they are read in the same memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.benchmarks.table_load import write_csv

pytestmark = pytest.mark.campaign

PEAK_MIB = 450
READ = """
import resource, sys
from reconcile.stores.data.file import Reading
from reconcile.stores.data.reading import read_data
with read_data(sys.argv[1], "large.csv", Reading()) as file:
    rows = sum(batch.num_rows for batch in file.batches())
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.hazard("Q11")
@pytest.mark.parametrize("mebibytes", [128, 1024])
def test_a_large_file_is_read_in_bounded_memory(tmp_path, mebibytes):
    rows = write_csv(tmp_path / "large.csv", mebibytes, seed=1)
    done = subprocess.run(
        [sys.executable, "-c", READ, tmp_path / "large.csv"], capture_output=True, text=True, check=True, timeout=600
    )
    read, peak_mib = map(int, done.stdout.split())
    assert read == rows
    assert peak_mib < PEAK_MIB
