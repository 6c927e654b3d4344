"""Specs made from the files of earlier tools, with a word on everything that is not the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
import re
from typing import Any, Final

from reconcile.core.errors import SpecError
from reconcile.core.path import shown
from reconcile.spec.document import Mark, problem_line
from reconcile.spec.init import literal, mapping_name, quoted
from reconcile.spec.searched import differences, files_of, folder_of, is_windows, takes_none, why_not_regex
from reconcile.spec.yaml import parse

Translation = tuple[str, list[str]]
"""The text of a `reconcile.yaml`, and warnings, each one line."""

_OLD_BOOL: Final = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}
_FOUR: Final = ("or", "and", "nor", "nand")

_AUTOSYNC: Final = """\
# Made from an Autosync config. Look first: reconcile plan    Then: reconcile apply, which prints the notebook cells
# Like Autosync, until it is stopped: reconcile watch
version: 1

stores:
  databricks: {{url: "dbfs:/", profile: {profile}}}

mappings:
  {name}:
    source: {source}
    target: databricks:FileStore/packages/${{user}}/${{source.name}}
    # target: /Volumes/CATALOG/SCHEMA/VOLUME/${{user}}/${{source.name}}    # with `profile:` in a store of its own
    # target: /Workspace/Users/NAME/${{source.name}}
    recursive: {recursive}
{patterns}"""

_S3SYNCHRONY: Final = """\
# Made from an s3synchrony.json. Look first: reconcile plan    Then: reconcile apply --select
version: 1

stores:
  shared: {{url: {url}{profile}}}

mappings:
  {name}:
    source: {source}
    target: "shared:"
    direction: two-way      # changes of both sides; what changed on both waits for a decision
    conflict: fail
    keep: always            # what is overwritten or deleted can be rolled back
    # exclude: []           # the lines of ignore_remote.txt go here
"""


def from_autosync(text: str, file: str = "config.yaml") -> Translation:
    """The spec of an Autosync `config.yaml`; `SpecError` when it is none."""
    warnings: list[str] = []
    config = _table(_parsed_autosync(text, file, warnings), file)
    source = _required(config, "local_root", file)
    lists, recursive = _patterns(config.get("patterns"), warnings), _old_bool(config.get("recursive"))
    _check_regexes(lists, file)
    if "dbfs_root" in config:
        warnings.append("dbfs_root: Autosync never used it; the target is dbfs:/FileStore/packages/<user>/<folder>")
    translated = _AUTOSYNC.format(
        profile=literal(str(config.get("profile") or "DEFAULT")),
        name=mapping_name(source),
        source=literal(source.replace("\\", "/")),
        recursive=str(recursive).lower(),
        patterns=_patterns_text(lists),
    )
    warnings += _moved(lists, source, file, recursive=recursive)
    warnings += [
        f"{shown(key)}: not known to Autosync, left out"
        for key in config
        if key not in ("profile", "local_root", "recursive", "patterns", "dbfs_root")
    ]
    warnings.append("dbfs:/FileStore is deprecated; a volume is `target: /Volumes/CATALOG/SCHEMA/VOLUME/…`")
    warnings.append("the target is no longer wiped first; files there that are not ours are kept (unmanaged: keep)")
    return translated, warnings


def _parsed_autosync(text: str, file: str, warnings: list[str]) -> object:
    """The config; a quote that a line forgot to close, as Autosync's own manual has it, is closed."""
    try:
        return parse(text, file).value
    except SpecError:
        lines = text.splitlines()
        mended = [line + "'" if line.count("'") % 2 and '"' not in line else line for line in lines]
        closed = [new.strip() for old, new in zip(lines, mended, strict=True) if new != old]
        if not closed:
            raise
        value = parse("\n".join(mended), file).value
        warnings += [f"a missing closing quote was added: {shown(line)}" for line in closed if line[0] != "#"]
        return value


def _patterns(patterns: object, warnings: list[str]) -> dict[str, list[str]]:
    """The four lists, those left out that ask for nothing."""
    lists = patterns if isinstance(patterns, dict) else {}
    given: dict[str, list[str]] = {}
    for word, regexes in lists.items():
        if word not in _FOUR:
            warnings.append(f"patterns.{shown(str(word))}: not known to Autosync, left out")
        elif isinstance(regexes, str):
            warnings.append(f"patterns.{word}: one text, which Autosync took letter by letter; taken as one pattern")
            given[word] = [regexes]
        elif isinstance(regexes, list):
            given[word] = [_any(regex) for regex in regexes if regex is not None]
    given = {word: regexes for word, regexes in given.items() if regexes}
    if not given:
        warnings.append("patterns: none, so every file is taken")
    return given


def _check_regexes(lists: dict[str, list[str]], file: str) -> None:
    """`SpecError` for those that no spec takes: what they were to leave out cannot be told."""
    wrong = [
        problem_line(file, Mark(1, 1), ("patterns", word, number), f"not a regular expression: {why}")
        for word, regexes in lists.items()
        for number, regex in enumerate(regexes)
        if (why := why_not_regex(regex))
    ]
    if wrong:
        raise SpecError(wrong, path=file)


def _any(regex: object) -> str:
    """A pattern as text that is not empty: a spec takes no empty one, which matches everything."""
    return str(regex) or "(?:)"


def _patterns_text(lists: dict[str, list[str]]) -> str:
    if not lists:
        return ""
    lines = ["    patterns:"]
    for word, regexes in lists.items():
        lines.append(f"      {word}:")
        lines += [f"        - {literal(regex)}" for regex in regexes]
    return "\n".join(lines) + "\n"


def _moved(lists: dict[str, list[str]], source: str, file: str, *, recursive: bool) -> list[str]:
    """What the folder's place has to do with the spec: a path of another system, patterns that matched above it."""
    folder = folder_of(source, str(Path(file).parent))
    here = Path(folder.path).is_dir()
    warnings = []
    if is_windows(source) and os.path.sep == "/":
        warnings.append(f"local_root: {shown(folder.path)} is a path of Windows; on this machine `source:` is another")
    if lists:
        files = files_of(folder, recursive=recursive) if here else []
        warnings += differences(lists, folder, files)
        if takes_none(lists, folder, files):
            warnings.append(f"patterns: not one of the files in {shown(folder.path)} is taken by them")
        if not here:
            warnings.append(
                f"patterns are searched in /{shown(folder.name)}/<path>, no longer in the whole path of a machine; "
                "the files are not here to try them on"
            )
    return warnings


def _old_bool(value: object) -> bool:
    """A switch as YAML 1.1 read it; on when it is not written."""
    return value if isinstance(value, bool) else _OLD_BOOL.get(str(value).lower(), True)


def from_s3synchrony(text: str, file: str = "s3synchrony.json") -> Translation:
    """The spec of an `s3synchrony.json` of any generation; `SpecError` when it is none."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        mark = Mark(getattr(error, "lineno", 1), getattr(error, "colno", 1))
        raise SpecError([problem_line(file, mark, (), "not JSON")], path=file) from error
    config = _table(parsed, file)
    source = str(config.get("local_data_rel_dir") or config.get("datafolder") or "Data").replace("\\", "/")
    role = str(config.get("aws_role_shorthand") or "")
    translated = _S3SYNCHRONY.format(
        url=literal(_s3_url(config, file)),
        profile=f", profile: {literal(role)}" if role else "",
        name=mapping_name(source),
        source=literal(source),
    )
    return translated, _s3_warnings(config, role)


def _s3_url(config: dict[str, Any], file: str) -> str:
    remote = str(config.get("remote_data_dir") or config.get("aws_prfx") or "").replace("\\", "/")
    if remote.startswith("s3://"):
        return re.sub(r"(?<!:)/+", "/", remote).rstrip("/")
    parts = [_required(config, "aws_bkt", file), *(part for part in remote.split("/") if part not in ("", "."))]
    return "s3://" + "/".join(parts)


def _s3_warnings(config: dict[str, Any], role: str) -> list[str]:
    warnings = ["the first run adopts files that are equal on both sides; .S3 and its history are not read"]
    warnings.append("copy the lines of .S3/ignore_remote.txt into `exclude:`")
    if role:
        warnings.append(f"aws_role_shorthand: taken as the AWS profile {quoted(role)}; check that it exists")
    platform = str(config.get("platform") or "s3").lower()
    if platform not in ("s3", "aws_s3"):
        warnings.append(f"platform {quoted(platform)}: taken as S3")
    if config.get("template") not in (None, "", "default", "no_creds_needed"):
        warnings.append("template: not used; credentials come from the AWS profile")
    return warnings


def _table(value: object, file: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SpecError([problem_line(file, Mark(1, 1), (), "should be a table of settings")], path=file)
    return value


def _required(config: dict[str, Any], key: str, file: str) -> str:
    if not isinstance(config.get(key), str) or not config[key]:
        raise SpecError([problem_line(file, Mark(1, 1), (), f"`{key}` is missing")], path=file)
    return str(config[key])
