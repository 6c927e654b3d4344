"""Where a Databricks place is: its path, and the workspace that holds it, found out without asking anybody."""

from __future__ import annotations

from configparser import ConfigParser, Error
from contextlib import suppress
import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from reconcile.core.errors import UsageError
from reconcile.core.path import why_not_key
from reconcile.stores.options import StoreOptions

_SETTINGS: Final = "__settings__"
"""A section of the file of profiles that is none."""


def root_of(url: str, scheme: str) -> str:
    """The absolute path in `scheme:/path`, without a slash at its end."""
    named, _, words = url.partition("?")
    if "=" in words:  # not told: it may be a secret
        hint = "say how it is reached in the options"
        raise UsageError("a path here takes no words behind a `?`", op="open", path=named, hint=hint)
    path = url.removeprefix(f"{scheme}:").rstrip("/") or "/"
    inner = path.removeprefix("/")
    if not path.startswith("/") or (inner and (reason := why_not_key(inner))):
        what = f"the path cannot be used: {reason}" if path.startswith("/") else f"is written {scheme}:/path"
        raise UsageError(what, op="open", path=url)
    return path


def canonical(path: str, options: StoreOptions) -> str:
    """What tells this place from one of the same path in another workspace, and is the same for all who work there.

    Where only the SDK can tell the workspace (in a notebook), its path alone.
    """
    host = host_of(options)
    return f"{path}?host={host}" if host else path


def host_of(options: StoreOptions) -> str:
    """The name of the workspace's host as connection, environment and profile have it; "" when none of them does."""
    return urlsplit(address_of(options)).netloc.rpartition("@")[2].lower()


def address_of(options: StoreOptions) -> str:
    """The URL of the workspace, from the same; "" where only the SDK can tell."""
    config = getattr(options.client, "config", options.client)
    told = str(options.extra.get("host", "") or getattr(config, "host", "") or "")
    if not told and not options.profile:
        told = os.environ.get("DATABRICKS_HOST", "")
    told = told or _profiles().get(options.profile or _usual_profile(), "host", fallback="")
    return told if not told or "://" in told else f"https://{told}"


def why_no_profile(options: StoreOptions) -> tuple[str, str]:
    """What is wrong with the profile that was asked for, and a hint; two times "" when it is there, or none was."""
    asked = options.profile or os.environ.get("DATABRICKS_CONFIG_PROFILE", "")
    known = [name for name in _profiles().sections() if name != _SETTINGS]
    if not asked or asked in known:
        return "", ""
    hint = f"it has {', '.join(known)}" if known else f"databricks auth login --profile {asked}"
    return f"there is no profile {asked} in {_profile_file()}", hint


def _usual_profile() -> str:
    """The profile of who asks for none."""
    asked = os.environ.get("DATABRICKS_CONFIG_PROFILE", "")
    return asked or _profiles().get(_SETTINGS, "default_profile", fallback="DEFAULT")


def _profile_file() -> Path:
    return Path(os.environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg").expanduser()


def _profiles() -> ConfigParser:
    """What the file of profiles says; nothing where it cannot be read."""
    profiles = ConfigParser(default_section="", interpolation=None)
    with suppress(Error, OSError, UnicodeDecodeError):
        profiles.read(_profile_file(), encoding="utf-8")
    return profiles
