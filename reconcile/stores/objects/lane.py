"""The fast lane: an obstore store for one place, where small writes, reads and stats run outside the GIL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconcile.ports import io_step
from reconcile.stores.objects.place import Place, azure_account, bucket

_FRESH: Final = timedelta(minutes=5)
"""So long obstore keeps credentials before it asks again."""


def fast_lane(where: Place, identity: Any) -> Any:
    """The obstore store of a place, `identity` being botocore's credentials (S3 only).

    Retries are the caller's: a try that failed must be seen, to recognise its effect.
    """
    from obstore import store as lanes  # noqa: PLC0415 - 10 ms, only for those who talk to object stores

    common: dict[str, Any] = {
        "client_options": {
            "allow_http": where.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=10),
            "read_timeout": timedelta(minutes=5),
            "timeout": timedelta(hours=6),
            "pool_max_idle_per_host": str(where.options.concurrency),
        },
        "retry_config": {"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
    }
    if where.scheme == "s3":
        return lanes.S3Store(where.container, **_s3(where, identity), **common)
    if where.scheme == "gs":
        return lanes.GCSStore(where.container, **_google(where), **common)
    return lanes.AzureStore(where.container, **_azure(where), **common)


@io_step("object.list")
def next_page(listed: Any) -> Any:
    """The next page of a listing, None when there is none."""
    return next(listed, None)


@io_step("object.get")
def get(lane: Any, key: str, options: dict[str, Any]) -> Any:
    """The headers of an object, and a stream of its content unless `head` is asked for."""
    return lane.get(key, options=options)


@io_step("object.put")
def put(lane: Any, key: str, content: Any, **options: Any) -> Any:
    """Sends an object; what the store says of it."""
    return lane.put(key, content, **options)


@io_step("object.delete")
def delete(lane: Any, key: str) -> None:
    """Removes an object."""
    lane.delete(key)


def _s3(where: Place, identity: Any) -> dict[str, Any]:
    at = bucket(where)
    in_path = at.base.endswith(f"/{at.name}")
    kind, _, kms_key = where.options.sse.partition("=")
    return {
        "endpoint": at.base.removesuffix(f"/{at.name}"),
        "virtual_hosted_style_request": not in_path,
        "region": at.region,
        "checksum_algorithm": "SHA256",
        "credential_provider": _provider(identity),
        **_said({"server_side_encryption": kind, "sse_kms_key_id": kms_key}),
    }


def _provider(identity: Any) -> Any:
    """Credentials as obstore asks for them."""

    def provide() -> dict[str, Any]:
        frozen = identity.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _FRESH,
        }

    return provide


def _google(where: Place) -> dict[str, Any]:
    return _said({"service_account": where.word("service_account"), "base_url": where.endpoint})


def _azure(where: Place) -> dict[str, Any]:
    return _said(
        {
            "account_name": where.word("account") or azure_account(),
            "account_key": where.word("account_key") or where.options.password,
            "sas_key": where.word("sas"),
            "endpoint": where.endpoint,
        }
    )


def _said(words: dict[str, str]) -> dict[str, Any]:
    """Only what was said; the rest is as the environment has it."""
    return {name: value for name, value in words.items() if value}
