"""The workspace as the SDK's docstrings (`databricks.sdk.service.workspace.WorkspaceAPI`) and Databricks' own command
line tool (databricks/cli libs/filer/workspace_files_client*.go, libs/testserver/workspace_test.go) describe it."""

from base64 import b64decode, b64encode
import json

from databricks.sdk.errors import (
    BadRequest,
    InvalidParameterValue,
    NotFound,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)
from databricks.sdk.service.workspace import ExportFormat, ImportFormat, Language, ObjectType
import pytest
import requests

HOME = "/Users/someone@example.com"
HEADER = b"# Databricks notebook source\n"
MIB = 1 << 20
EXPORT = {"return_export_info": "true"}
"""As databricks/cli libs/filer/workspace_files_client.go asks, to tell a Jupyter notebook from others."""


def kept(emulator, path):
    """What is kept, and as what."""
    file = emulator.file("/Workspace" + path)
    return file.content.read(), file.language


@pytest.fixture
def bring(client):
    """Imports both ways: as a form and as JSON."""

    def bring(path, data, kind=ImportFormat.AUTO, *, form=True, **how):
        if form:
            return client.workspace.upload(path, data, format=kind, **how)
        return client.workspace.import_(path, content=b64encode(data).decode(), format=kind, **how)

    return bring


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize(
    ("name", "data", "as_name", "language"),
    [
        ("n.py", HEADER + b"print(1)", "n", "PYTHON"),
        ("n.PY", HEADER + b"print(1)", "n", "PYTHON"),
        ("n.py", b"# Databricks notebook source", "n", "PYTHON"),
        ("n.py", b"# Databricks notebook source\r\nprint(1)", "n", "PYTHON"),
        ("n.py", b"print(1)", "n.py", None),
        ("n.py", b"#!/usr/bin/env python\n" + HEADER, "n.py", None),
        ("n.py", b"# Databricks notebook sources\n", "n.py", None),
        ("n.sql", b"-- Databricks notebook source\nSELECT 1", "n", "SQL"),
        ("n.sql", HEADER + b"SELECT 1", "n.sql", None),
        ("n.scala", b"// Databricks notebook source\n", "n", "SCALA"),
        ("n.r", HEADER, "n", "R"),
        ("n.R", HEADER, "n", "R"),
        ("n.ipynb", b'{"cells": [], "nbformat": 4}', "n", "PYTHON"),
        ("n.txt", HEADER, "n.txt", None),
        (".py", HEADER, ".py", None),
        ("bytes.bin", bytes(range(256)), "bytes.bin", None),
        ("empty", b"", "empty", None),
    ],
)
def test_auto_makes_a_notebook_of_what_looks_like_one(bring, emulator, form, name, data, as_name, language):
    """SDK docstring of `import_`, AUTO: by the extension and the header; a notebook loses its extension."""
    bring(f"{HOME}/{name}", data, form=form)
    assert kept(emulator, f"{HOME}/{as_name}") == (data, language)


def test_source_makes_a_notebook_with_a_header_where_it_was_told(bring, emulator):
    """SDK docstring: SOURCE needs a language; the name stays (databricks/terraform-provider-databricks pull 2994)."""
    bring(f"{HOME}/a.py", b"print(1)", ImportFormat.SOURCE, language=Language.PYTHON)
    assert kept(emulator, f"{HOME}/a.py") == (HEADER + b"print(1)", "PYTHON")
    bring(f"{HOME}/b", HEADER + b"print(1)", ImportFormat.SOURCE, language=Language.PYTHON)
    assert kept(emulator, f"{HOME}/b") == (HEADER + b"print(1)", "PYTHON")
    with pytest.raises(InvalidParameterValue):
        bring(f"{HOME}/c", b"print(1)", ImportFormat.SOURCE, form=False)


def test_raw_makes_a_file_of_anything(bring, emulator):
    """databricks documentation of pipelines: `--format RAW` for plain .py and .sql files."""
    bring(f"{HOME}/n.py", HEADER, ImportFormat.RAW)
    assert kept(emulator, f"{HOME}/n.py") == (HEADER, None)


def test_jupyter_makes_a_notebook_of_json(bring, emulator):
    """SDK docstring: imported as a Jupyter notebook file; the language of ObjectInfo is always PYTHON for these."""
    data = json.dumps({"cells": [], "nbformat": 4}).encode()
    bring(f"{HOME}/n", data, ImportFormat.JUPYTER)
    assert kept(emulator, f"{HOME}/n") == (data, "PYTHON")
    with pytest.raises(BadRequest):
        bring(f"{HOME}/m", b"print(1)", ImportFormat.JUPYTER, form=False)


def test_a_folder_must_be_there(bring, client):
    """libs/testserver/workspace_test.go: "returns a 404 when the parent directory does not exist"."""
    with pytest.raises(NotFound, match="parent folder"):
        bring(f"{HOME}/no/a", b"1")
    client.workspace.mkdirs(f"{HOME}/no/such")
    bring(f"{HOME}/no/a", b"1")


def test_what_is_there_is_kept_unless_told(bring, emulator):
    """SDK docstring: RESOURCE_ALREADY_EXISTS, with 400 by workspace_files_client_test.go."""
    bring(f"{HOME}/a", b"1")
    with pytest.raises(ResourceAlreadyExists):
        bring(f"{HOME}/a", b"2")
    assert emulator.log.all[-1].status == 400
    bring(f"{HOME}/a", b"3", overwrite=True)
    assert kept(emulator, f"{HOME}/a") == (b"3", None)


def test_a_notebook_and_a_file_do_not_replace_each_other(bring, client):
    """workspace_files_client_test.go: "Cannot overwrite the asset at … due to type mismatch (asked: FILE, actual:
    NOTEBOOK)", WORKSPACE_OBJECT_TYPE_MISMATCH."""
    bring(f"{HOME}/n.py", HEADER)
    with pytest.raises(InvalidParameterValue, match=r"type mismatch \(asked: FILE, actual: NOTEBOOK\)") as refused:
        bring(f"{HOME}/n", b"1", form=False, overwrite=True)
    assert refused.value.get_error_details().error_info.reason == "WORKSPACE_OBJECT_TYPE_MISMATCH"
    bring(f"{HOME}/n.py", b"print(1)", overwrite=True)
    names = {each.path: each.object_type for each in client.workspace.list(HOME)}
    assert names == {f"{HOME}/n": ObjectType.NOTEBOOK, f"{HOME}/n.py": ObjectType.FILE}
    client.workspace.mkdirs(f"{HOME}/dir")
    with pytest.raises(InvalidParameterValue, match="DIRECTORY"):
        bring(f"{HOME}/dir", b"1", form=False, overwrite=True)


def test_ten_mebibytes_and_no_more(bring, emulator, client):
    """SDK docstring: MAX_NOTEBOOK_SIZE_EXCEEDED over 10 MB, of import and of export."""
    bring(f"{HOME}/full", bytes(10 * MIB))
    for form in (True, False):
        with pytest.raises(BadRequest) as refused:
            bring(f"{HOME}/more", bytes(10 * MIB + 1), form=form)
        assert refused.value.error_code == "MAX_NOTEBOOK_SIZE_EXCEEDED"
    emulator.put(f"/Workspace{HOME}/great", bytes(10 * MIB + 1))
    with pytest.raises(BadRequest) as refused:
        client.workspace.download(f"{HOME}/great")
    assert refused.value.error_code == "MAX_NOTEBOOK_SIZE_EXCEEDED"


def test_the_way_of_the_command_line_tool_goes_beyond(client, emulator):
    """databricks/cli libs/filer/workspace_files_client.go: workspace-files/import-file, raw bytes, 409 for a file."""
    url = f"{emulator.url}/api/2.0/workspace-files/import-file/Users/someone%40example.com"
    send = {"headers": client.config.authenticate(), "timeout": 5}
    assert requests.post(f"{url}/great", data=bytes(11 * MIB), **send).status_code == 200
    assert emulator.file(f"/Workspace{HOME}/great").content.size == 11 * MIB
    assert requests.post(f"{url}/great", data=b"1", **send).status_code == 409
    assert requests.post(f"{url}/no/a", data=b"1", **send).status_code == 404
    assert requests.post(f"{url}/n.py?overwrite=true", data=HEADER, **send).status_code == 200
    assert kept(emulator, f"{HOME}/n") == (HEADER, "PYTHON")


def test_an_export_gives_back_what_came(bring, client):
    """SDK docstrings of `export` and `download`: base64 in JSON, or the bytes; SOURCE unless told."""
    bring(f"{HOME}/n.py", HEADER + b"print(1)")
    bring(f"{HOME}/b.bin", bytes(range(256)))
    assert client.workspace.download(f"{HOME}/n").read() == HEADER + b"print(1)"
    assert client.workspace.download(f"{HOME}/b.bin", format=ExportFormat.AUTO).read() == bytes(range(256))
    said = client.workspace.export(f"{HOME}/n")
    assert (b64decode(said.content), said.file_type) == (HEADER + b"print(1)", "py")
    said = client.workspace.export(f"{HOME}/n", format=ExportFormat.JUPYTER)
    assert json.loads(b64decode(said.content))["nbformat"] == 4
    with pytest.raises(ResourceDoesNotExist):
        client.workspace.download(f"{HOME}/n.py")


def test_the_status_of_objects(bring, client):
    """SDK docstring of `ObjectInfo`: size for files only, language for notebooks only; the notebook's fields by
    workspace_files_client_test.go."""
    bring(f"{HOME}/n.py", HEADER)
    bring(f"{HOME}/f", b"123")
    notebook, file, folder = (client.workspace.get_status(f"{HOME}/{name}") for name in ("n", "f", ""))
    assert (notebook.object_type, notebook.language, notebook.size) == (ObjectType.NOTEBOOK, Language.PYTHON, None)
    assert (file.object_type, file.language, file.size) == (ObjectType.FILE, None, 3)
    assert folder.object_type == ObjectType.DIRECTORY
    assert notebook.modified_at
    assert file.modified_at
    said = client.api_client.do("GET", "/api/2.0/workspace/get-status", query={"path": f"{HOME}/n", **EXPORT})
    assert said["repos_export_format"] == "SOURCE"
    before = file.object_id, file.created_at
    bring(f"{HOME}/f", b"4", overwrite=True)
    after = client.workspace.get_status(f"{HOME}/f")
    assert (after.object_id, after.created_at) == before


def test_a_notebook_may_come_back_with_other_line_ends(bring, client, emulator):
    """Chosen: a notebook is kept as its cells, not as the bytes that came."""
    emulator.habits.notebooks_rewritten = True
    bring(f"{HOME}/n.py", HEADER + b"print(1)\r\nprint(2)\n")
    bring(f"{HOME}/f.txt", b"1\r\n")
    assert client.workspace.download(f"{HOME}/n").read() == HEADER + b"print(1)\nprint(2)"
    assert client.workspace.download(f"{HOME}/f.txt").read() == b"1\r\n"


def test_a_listing(bring, client):
    """SDK docstring of `list`: of a directory its contents, of another object the object; RESOURCE_DOES_NOT_EXIST."""
    client.workspace.mkdirs(f"{HOME}/dir/sub")
    bring(f"{HOME}/dir/a", b"1")
    assert {each.path for each in client.workspace.list(f"{HOME}/dir")} == {f"{HOME}/dir/a", f"{HOME}/dir/sub"}
    assert [each.path for each in client.workspace.list(f"{HOME}/dir/a")] == [f"{HOME}/dir/a"]
    assert list(client.workspace.list(f"{HOME}/dir/sub")) == []
    with pytest.raises(ResourceDoesNotExist):
        list(client.workspace.list(f"{HOME}/no"))


def test_both_spellings_of_a_path_are_one(bring, client):
    """Release notes of January 2024: `/Workspace` may stand in front; paths without it go on. Answers have none here
    (databricks-industry-solutions/security-analysis-tool 198: the prefix made Terraform drift)."""
    bring(f"/Workspace{HOME}/a", b"1")
    assert client.workspace.get_status(f"{HOME}/a").path == f"{HOME}/a"
    assert [each.path for each in client.workspace.list(f"/Workspace{HOME}")] == [f"{HOME}/a"]


def test_deleting(bring, client, emulator):
    """SDK docstring of `delete`: DIRECTORY_NOT_EMPTY unless recursive; RESOURCE_DOES_NOT_EXIST."""
    client.workspace.mkdirs(f"{HOME}/dir")
    bring(f"{HOME}/dir/a", b"1")
    with pytest.raises(BadRequest) as refused:
        client.workspace.delete(f"{HOME}/dir")
    assert refused.value.error_code == "DIRECTORY_NOT_EMPTY"
    client.workspace.delete(f"{HOME}/dir", recursive=True)
    with pytest.raises(ResourceDoesNotExist):
        client.workspace.delete(f"{HOME}/dir")
    with pytest.raises(InvalidParameterValue):
        client.workspace.delete("/")
    assert emulator.paths() == []


def test_a_file_in_the_way_of_a_folder(bring, client):
    """SDK docstring of `mkdirs`: RESOURCE_ALREADY_EXISTS for an object at any prefix; not for a folder."""
    bring(f"{HOME}/a", b"1")
    client.workspace.mkdirs(HOME)
    for path in (f"{HOME}/a", f"{HOME}/a/b"):
        with pytest.raises(ResourceAlreadyExists):
            client.workspace.mkdirs(path)


@pytest.mark.parametrize("path", ["relative", "", "/a/../b"])
def test_paths_that_cannot_be(client, path):
    """SDK docstrings: the absolute path."""
    with pytest.raises(InvalidParameterValue):
        client.workspace.get_status(path)
