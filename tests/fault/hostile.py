"""Every way an S3 service, or what stands before it, has been seen to fail: one catalogue, by name.

Each is asked of a single request. None of them needs the client to wait: times that are named are slept by the clock.
"""

from __future__ import annotations

from dataclasses import replace
import re
from typing import Final
from xml.etree import ElementTree as ET

from tests.fakes.s3_faults import (
    Act,
    Answer,
    Request,
    Work,
    answer,
    error,
    fail_after,
    html,
    keep,
    lose_after,
    lose_before,
    refuse,
    rewrite,
    tell,
)
from tests.fault.points import Hostile
from tests.fault.watched import WatchedS3

STRANGER: Final = b"a stranger's work"
EMPTY_PAGE: Final = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
XML: Final = {"Content-Type": "application/xml"}
ANY_OP: Final = frozenset(
    {"head", "list", "get", "put", "copy", "delete", "bulk", "begin", "part", "complete", "abort"}
)
BODIES: Final = frozenset({"put", "part", "bulk", "complete"})
MAKING: Final = frozenset({"put", "copy", "complete", "delete", "bulk"})
XMLS: Final = frozenset({"list", "copy", "bulk", "begin", "complete"})


def _plain(act: Act, ops: frozenset[str] = ANY_OP, *, lies: bool = False, reads: int | None = None) -> Hostile:
    return Hostile(lambda _server, _trap: act, ops, lies, reads=reads)


def _refusals() -> dict[str, Hostile]:
    told = {
        "400 InvalidRequest": {},
        "400 BadDigest": {},
        "400 ExpiredToken": {},
        "400 KMS.DisabledException": {},
        "401 Unauthorized": {},
        "403 AccessDenied": {},
        "403 RequestTimeTooSkewed": {},
        "403 SignatureDoesNotMatch": {},
        "403 InvalidObjectState": {},
        "404 NoSuchKey": {},
        "404 NoSuchBucket": {},
        "404 NoSuchUpload": {},
        "408 RequestTimeout": {},
        "409 ConditionalRequestConflict": {},
        "409 OperationAborted": {},
        "412 PreconditionFailed": {},
        "413 EntityTooLarge": {},
        "416 InvalidRange": {},
        "429 TooManyRequests": {},
        "429 SlowDown": {"Retry_After": "3"},
        "500 InternalError": {},
        "501 NotImplemented": {},
        "503 SlowDown": {},
        "503 ServiceUnavailable": {"Retry_After": "1000000000"},
    }
    return {
        name: replace(_plain(refuse(int(name[:3]), name[4:], **headers)), hides=name.startswith("404"))
        for name, headers in told.items()
    }


def _connections() -> dict[str, Hostile]:
    return {
        "cut before it is read": _plain(lose_before(), reads=0),
        "cut after one byte": _plain(lose_before(), BODIES, reads=1),
        "cut in the middle of the body": _plain(lose_before(), BODIES, reads=7),
        "cut before the work": _plain(lose_before()),
        "cut after the work": _plain(lose_after()),
        "500 after the work": _plain(fail_after()),
        "503 after the work": _plain(fail_after(503, "SlowDown")),
        "answer cut at once": _plain(tell(lambda told: replace(told, cut=0))),
        "answer cut in the middle": _plain(tell(lambda told: replace(told, cut=len(told.body) // 2))),
    }


def _nonsense() -> dict[str, Hostile]:
    """Answers of something that is not the store, all with a good status; none of them has done anything."""
    rubbish = Answer(200, b"\x1f\x8b rubbish", {"Content-Encoding": "gzip"} | XML)
    return {
        "a page of a proxy": _plain(html()),
        "nothing with a 200": _plain(answer(Answer())),
        "nothing with a 204": _plain(answer(Answer(204))),
        "rubbish that is called gzip": _plain(answer(rubbish)),
        "a flood of blanks": _plain(answer(Answer(200, b" " * 100_000))),
        "a flood of headers": _plain(answer(Answer(200, b"", {f"x-flood-{at}": "1" for at in range(200)}))),
        "an error in a 200": _plain(answer(Answer(200, error(500, "InternalError").body, XML)), XMLS),
        "an error in a 200 after the work": _plain(
            tell(lambda _told: Answer(200, error(500, "InternalError").body, XML)), XMLS
        ),
        "XML that breaks off": _plain(tell(lambda told: replace(told, body=told.body[:-9])), XMLS),
        "a bomb of entities": _plain(answer(Answer(200, b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>')), XMLS),
    }


def _elsewhere(status: int, **headers: str) -> Hostile:
    def make(_server: WatchedS3, trap: str) -> Act:
        there = {"Location": f"{trap}/bucket/elsewhere"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return answer(Answer(status, error(status, "PermanentRedirect").body, there))

    return Hostile(make, ANY_OP)


def _sums() -> dict[str, Hostile]:
    def told(etag: str | None) -> Act:
        def change(answered: Answer) -> Answer:
            kept = {name: value for name, value in answered.headers.items() if name != "ETag"}
            body = re.sub(rb"<ETag>.*?</ETag>", b"" if etag is None else f"<ETag>{etag}</ETag>".encode(), answered.body)
            return replace(answered, headers=kept | ({} if etag is None else {"ETag": etag}), body=body)

        return tell(change)

    tagged = frozenset({"head", "get", "put", "part", "copy", "complete", "list"})
    sent = frozenset({"put", "part"})
    return {
        "another ETag told": _plain(told('"0123456789abcdef0123456789abcdef"'), tagged),
        "no ETag told": _plain(told(None), tagged),
        "a flipped byte kept": _plain(keep(lambda data: bytes([data[0] ^ 1]) + data[1:]), sent, lies=True),
        "a short body kept": _plain(keep(lambda data: data[:-1]), sent, lies=True),
        "nothing kept": _plain(keep(lambda _data: b""), sent, lies=True),
    }


def _listings() -> dict[str, Hostile]:
    def also(found: re.Match[str]) -> str:
        return found[0] * 2

    def turned(told: Answer) -> Answer:
        found = re.findall(rb"<Contents>.*?</Contents>", told.body)
        head, tail = told.body.split(b"</IsTruncated>", 1)
        rest = re.sub(rb"<Contents>.*</Contents>", b"", tail)
        return replace(told, body=head + b"</IsTruncated>" + b"".join(reversed(found)) + rest)

    def twice(told: Answer) -> Answer:
        return replace(told, body=re.sub("<Contents>.*?</Contents>", also, told.body.decode()).encode())

    page = frozenset({"list"})
    return {
        "keys told twice": _plain(tell(twice), page),
        "keys told backwards": _plain(tell(turned), page),
        "more without a token": _plain(rewrite("<IsTruncated>.*?<", "<IsTruncated>true<"), page),
        "no word of more": _plain(rewrite("<IsTruncated>.*?</IsTruncated>", ""), page),
        "no size": _plain(rewrite("<Size>.*?</Size>", ""), page),
        "a time that is none": _plain(rewrite("<LastModified>.*?<", "<LastModified>yesterday<"), page),
        "keys of others": _plain(rewrite("<Key>", "<Key>../"), page),
        "an empty page": Hostile(lambda _server, _trap: answer(Answer(200, EMPTY_PAGE, XML)), page, hides=True),
    }


def _strangers() -> dict[str, Hostile]:
    """Somebody else is quicker: what the request is about changes just before it is answered."""

    def touched(request: Request) -> list[str]:
        if request.op == "bulk":
            return [item.findtext("Key") or "" for item in ET.fromstring(request.body).iterfind("Object")]
        return [request.key or ""]

    def writes(server: WatchedS3, _trap: str) -> Act:
        def act(request: Request, work: Work) -> Answer:
            for key in touched(request):
                server.intrude(key, STRANGER)
            return work(request)

        return act

    def deletes(server: WatchedS3, _trap: str) -> Act:
        def act(request: Request, work: Work) -> Answer:
            for key in touched(request):
                server.intrude(key, None)
            return work(request)

        return act

    return {
        "a stranger writes": Hostile(writes, MAKING, strange=True),
        "a stranger deletes": Hostile(deletes, MAKING, strange=True),
    }


HOSTILE: Final[dict[str, Hostile]] = {
    **_refusals(),
    **_connections(),
    **_nonsense(),
    "301": _elsewhere(301),
    "301 to another region": _elsewhere(301, x_amz_bucket_region="eu-west-3"),
    "307": _elsewhere(307),
    **_sums(),
    **_listings(),
    **_strangers(),
}
