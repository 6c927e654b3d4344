"""The emulator as a process of its own, for examples and measurements."""

from io import BytesIO
from pathlib import Path
import signal
import subprocess
import sys

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

ROOT = Path(__file__).parents[3]


def test_it_says_where_it_is_and_serves_until_it_is_interrupted():
    command = [sys.executable, "-m", "tests.fakes.databricks", "--port", "0", "--volume", "main.default.landing"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        told = dict(process.stdout.readline().strip().split("=") for _ in range(2))
        config = Config(host=told["DATABRICKS_HOST"], token=told["DATABRICKS_TOKEN"], retry_timeout_seconds=5)
        client = WorkspaceClient(config=config)
        client.files.upload("/Volumes/main/default/landing/a", BytesIO(b"1"))
        assert [each.name for each in client.files.list_directory_contents("/Volumes/main/default/landing")] == ["a"]
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
