"""The server that only lists, as two clients see it: every key once, in byte order, wherever the pages are cut."""

from __future__ import annotations

import hashlib
from threading import Thread

import pytest

from tests.benchmarks import trees
from tests.benchmarks.list_server import Listing, Server

COUNT = 2_345
NAMES = list(trees.names(COUNT))


@pytest.fixture
def endpoint():
    with Server(0, Listing(COUNT, prefix="tree/"), delay_s=0) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture
def client(endpoint):
    import boto3

    made = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    yield made
    made.close()


def _pages(client, **options):
    return list(client.get_paginator("list_objects_v2").paginate(Bucket="bench", **options))


def test_names_come_in_byte_order_with_a_witness():
    assert sorted(NAMES) == NAMES
    assert len(set(NAMES)) == COUNT
    assert NAMES.index("d00001.txt") + 1 == NAMES.index("d00001/f0001.txt")


@pytest.mark.parametrize("max_keys", [7, 1000])
def test_pages_join_to_the_whole_tree(client, max_keys):
    after = "" if max_keys == 1000 else "tree/" + NAMES[-100]
    pages = _pages(client, Prefix="tree/", StartAfter=after, PaginationConfig={"PageSize": max_keys})
    keys = [entry["Key"] for page in pages for entry in page["Contents"]]
    assert keys == ["tree/" + name for name in (NAMES[-99:] if after else NAMES)]
    assert {len(page["Contents"]) for page in pages[:-1]} == {max_keys}


def test_a_delimiter_folds_directories(client):
    (page,) = _pages(client, Prefix="tree/", Delimiter="/")
    assert [entry["Key"] for entry in page["Contents"]] == ["tree/d00000.txt", "tree/d00001.txt", "tree/d00002.txt"]
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["tree/d00000/", "tree/d00001/", "tree/d00002/"]
    folded = _pages(client, Prefix="tree/", Delimiter="/", PaginationConfig={"PageSize": 2})
    assert sum(page["KeyCount"] for page in folded) == 6


def test_etags_and_sizes_are_those_of_the_files_on_disk(client, tmp_path):
    trees.make(tmp_path / "tree", 5)
    for entry in _pages(client, Prefix="tree/", PaginationConfig={"MaxItems": 5})[0]["Contents"]:
        data = (tmp_path / entry["Key"]).read_bytes()
        assert entry["ETag"].strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest()
        assert entry["Size"] == len(data)
        assert client.get_object(Bucket="bench", Key=entry["Key"])["Body"].read() == data


def test_what_is_put_beside_the_tree_obeys_its_conditions(client):
    from botocore.exceptions import ClientError

    etag = client.put_object(Bucket="bench", Key="probe", Body=b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.put_object(Bucket="bench", Key="probe", Body=b"2", **condition)
    client.put_object(Bucket="bench", Key="probe", Body=b"3", IfMatch=etag)
    assert client.get_object(Bucket="bench", Key="probe")["Body"].read() == b"3"
    client.delete_object(Bucket="bench", Key="probe")
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket="bench", Key="probe")
