"""Where a Databricks place is: its path, and the workspace that holds it, found out without asking anybody."""

from __future__ import annotations

from configparser import ConfigParser, Error
import os
from pathlib import Path
from urllib.parse import urlsplit

from reconcile.core.errors import UsageError
from reconcile.core.path import why_not_key
from reconcile.stores.options import StoreOptions


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
    config = getattr(options.client, "config", options.client)
    told = str(options.extra.get("host", "") or getattr(config, "host", "") or "")
    if not told and not options.profile:
        told = os.environ.get("DATABRICKS_HOST", "")
    told = told or _host_of_profile(options.profile or os.environ.get("DATABRICKS_CONFIG_PROFILE", ""))
    return urlsplit(told if "://" in told else f"https://{told}").netloc.rpartition("@")[2].lower()


def _host_of_profile(profile: str) -> str:
    file = Path(os.environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg").expanduser()
    profiles = ConfigParser(default_section="", interpolation=None)
    try:
        profiles.read(file, encoding="utf-8")
        named = profile or profiles.get("__settings__", "default_profile", fallback="DEFAULT")
        return profiles.get(named, "host", fallback="")
    except (Error, OSError, UnicodeDecodeError):
        return ""
