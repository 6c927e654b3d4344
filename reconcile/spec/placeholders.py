"""`${…}` in values: variables, the environment, and the names at hand; secrets stay where they may stand."""

from __future__ import annotations

from collections.abc import Container, Mapping
import re
from typing import Final, NamedTuple

from reconcile.core.path import is_utf8, shown
from reconcile.spec.document import Findings, Steps
from reconcile.spec.secret import MASK, Secret, looks_secret, revealed
from reconcile.spec.shape import did_you_mean
from reconcile.spec.yaml import scalar

VARIABLE_PREFIX: Final = "RECONCILE_VAR_"

_PLACEHOLDER: Final = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_VAR: Final = re.compile(r"var\.([A-Za-z_][A-Za-z0-9_-]*)")
_ENV: Final = re.compile(r"env\.([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_TYPES: Final[dict[type, str]] = {bool: "true or false", int: "a whole number", float: "a number"}
_USER_NAMES: Final = ("LOGNAME", "USER", "LNAME", "USERNAME")
_KNOWN: Final = ["var.NAME", "env.NAME", "user", "host", "source.name", "mapping"]


class Context(NamedTuple):
    """Which mapping a value belongs to. With `later`, its placeholders are left for when that is known."""

    mapping: str | None = None
    source_name: str | None = None
    later: bool = False


class _Meaning(NamedTuple):
    """What a placeholder stands for; `secret`: it must not be shown, `env`: it came from the environment."""

    value: object
    text: str
    secret: bool = False
    env: bool = False


class _UnsetError(Exception):
    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Resolver:
    """Replaces the placeholders of one document and notes those that mean nothing."""

    def __init__(self, findings: Findings, overrides: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self.findings = findings
        self.hidden: set[str] = set()
        self._overrides = overrides
        self._environ = environ
        self._used: set[str] = set()
        self._variables: dict[str, _Meaning] = {}

    def declare(self, declared: object) -> dict[str, str]:
        """Learns `variables:`, overridden by the command line and the environment; gives back their texts."""
        for name, value in declared.items() if isinstance(declared, dict) else ():
            self._variables[name] = self._declared(name, value)
        return {name: Secret(each.text) if each.secret else each.text for name, each in self._variables.items()}

    def unused(self) -> list[str]:
        """Overrides of the command line that no variable or placeholder asked for."""
        return sorted(set(self._overrides) - set(self._variables) - self._used)

    def tree(self, value: object, at: Steps, context: Context) -> object:
        """The value with every placeholder in it replaced."""
        if isinstance(value, dict):
            return {key: self.tree(item, (*at, key), context) for key, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item, (*at, index), context) for index, item in enumerate(value)]
        if isinstance(value, Secret):
            return self._placed(_Meaning(value.reveal(), value.reveal(), secret=True), at)
        if isinstance(value, str):
            return self._placed(self._expand(value, at, context), at)
        return value

    def _declared(self, name: str, value: object) -> _Meaning:
        at: Steps = ("variables", name)
        secret = looks_secret(name)
        try:
            override = self._override(name)
        except _UnsetError as unset:
            self.findings.add(at, unset.message)
            override = None
        if override is not None:
            return self._overridden(at, value, _Meaning(override, override, secret))
        if isinstance(value, str):
            meaning = self._expand(value, at, Context())
            return meaning._replace(secret=secret or meaning.secret)
        written = self.findings.document.written.get(at)
        text = written if written is not None else str(value).lower() if isinstance(value, bool) else str(value)
        return _Meaning(value, text, secret)

    def _override(self, name: str) -> str | None:
        """What the command line, or else the environment, says a variable is."""
        return _readable(self._overrides.get(name, self._environ.get(VARIABLE_PREFIX + name)))

    def _overridden(self, at: Steps, value: object, meaning: _Meaning) -> _Meaning:
        """An override keeps the type of what it overrides."""
        if not isinstance(value, (bool, int, float)):
            return meaning
        try:
            typed = scalar(meaning.text)
        except OverflowError:
            typed = None
        if type(typed) is type(value) or (isinstance(value, float) and type(typed) is int):
            return meaning._replace(value=typed)
        self.findings.add(at, f"was overridden by what is not {_TYPES[type(value)]}")
        return meaning

    def _placed(self, meaning: _Meaning, at: Steps) -> object:
        """The value of a text, a secret where it may be one, a problem where it may not."""
        if not isinstance(meaning.value, str):
            return meaning.value
        if _may_hide(at, meaning):
            return self._hide(meaning.text) if meaning.text else ""
        if meaning.secret:
            hint = "secrets belong in a setting of `stores:` such as password, token or secret_access_key"
            self.findings.add(at, "a secret would be shown here", hint)
            return MASK
        return meaning.value

    def _hide(self, text: str) -> Secret:
        self.hidden.add(text)
        return Secret(text)

    def _expand(self, text: str, at: Steps, context: Context) -> _Meaning:
        """The meaning of a text; one that is a single unquoted `${var.NAME}` keeps the variable's type."""
        if "${" not in text:
            return _Meaning(text, text)
        parts: list[str] = []
        met: list[_Meaning] = []
        end = 0
        for found in _PLACEHOLDER.finditer(text):
            parts.append(text[end : found.start()])
            end = found.end()
            try:
                met.append(self._meaning(found, at, context))
            except _UnsetError as unset:
                self.findings.add(at, unset.message, unset.hint)
                return _Meaning(text, text)
            parts.append(met[-1].text)
        joined = "".join((*parts, text[end:]))
        whole = len(met) == 1 and joined == met[0].text and self._is_plain(text, at)
        value = met[0].value if whole else joined
        return _Meaning(value, joined, any(each.secret for each in met), any(each.env for each in met))

    def _is_plain(self, text: str, at: Steps) -> bool:
        document = self.findings.document
        return not document.marks or document.written.get(self.findings.origins.get(at, at)) == text

    def _meaning(self, found: re.Match[str], at: Steps, context: Context) -> _Meaning:
        if found[0] == "$${":
            return _Meaning("${", "${")
        name = found[1]
        if not found[2]:
            raise _UnsetError("`${` has no `}`", "write $${ for a literal ${")
        if variable := _VAR.fullmatch(name):
            return self._variable(variable[1], at)
        if environment := _ENV.fullmatch(name):
            return self._environment(environment[1], environment[2])
        if name in ("mapping", "source.name"):
            return self._of_mapping(found[0], at, context)
        if name == "user":
            return self._user()
        if name == "host":
            return _host()
        meant = next((f"{kind}.{name}" for kind, known in self._families() if name in known), "")
        hint = f"did you mean `{meant}`?" if meant else did_you_mean(name, _KNOWN)
        hint = hint or "known are " + ", ".join(_KNOWN) + "; write $${ for a literal ${"
        raise _UnsetError(f"`${{{shown(name)}}}` means nothing", hint)

    def _families(self) -> tuple[tuple[str, Container[str]], ...]:
        return ("var", self._variables), ("env", self._environ)

    def _variable(self, name: str, at: Steps) -> _Meaning:
        if at[:1] == ("variables",):
            raise _UnsetError(f"variable `{name}` is used to make another variable", "only env, user and host can")
        self._used.add(name)
        if name in self._variables:
            return self._variables[name]
        text = self._override(name)
        if text is None:
            hint = did_you_mean(name, list(self._variables)) or f"declare it in `variables:`, or --var {name}=…"
            raise _UnsetError(f"variable `{name}` is not set", hint)
        return _Meaning(text, text, looks_secret(name))

    def _environment(self, name: str, default: str | None) -> _Meaning:
        text = _readable(self._environ.get(name))
        if not text and default is not None:
            text = default
        if text is None:
            raise _UnsetError(f"environment variable `{name}` is not set", f"a default is written ${{env.{name}:-…}}")
        secret = looks_secret(name) and text != default
        if secret and text:
            self.hidden.add(text)
        return _Meaning(text, text, secret, env=True)

    def _of_mapping(self, placeholder: str, at: Steps, context: Context) -> _Meaning:
        if context.later:
            return _Meaning(placeholder, placeholder)
        if context.mapping is None:
            raise _UnsetError(f"`{placeholder}` has a meaning only in a mapping")
        if placeholder == "${mapping}":
            return _Meaning(context.mapping, context.mapping)
        if at[-1:] == ("source",):
            raise _UnsetError("`${source.name}` cannot be part of the source itself")
        if context.source_name == "":
            raise _UnsetError("the source has no name of its own")
        # A source that is missing or wrong is a problem already told.
        name = context.source_name or placeholder
        return _Meaning(name, name)

    def _user(self) -> _Meaning:
        for name in _USER_NAMES:
            if user := _readable(self._environ.get(name)):
                return _Meaning(user, user)
        from getpass import getuser  # noqa: PLC0415  rarely needed

        try:
            user = getuser()
        except (KeyError, OSError, ImportError) as error:
            raise _UnsetError("this user has no name", "set LOGNAME") from error
        return _Meaning(user, user)


def _readable(text: str | None) -> str | None:
    if text is not None and not is_utf8(text):
        raise _UnsetError("what the environment says is not valid Unicode")
    return text


def _host() -> _Meaning:
    from platform import node  # noqa: PLC0415  rarely needed

    name = node()
    return _Meaning(name, name)


def _may_hide(at: Steps, meaning: _Meaning) -> bool:
    """Whether a value standing here becomes a `Secret`: secret settings of stores, URLs with one, what notify sends.

    Settings that say where a store is (region, profile, …) stay readable: scopes and plans hang on them.
    """
    if at[:1] == ("stores",):
        setting = str(at[-1])
        if setting == "url":
            return meaning.secret or _has_password(meaning.text)
        return looks_secret(setting) or (at[2:3] == ("options",) and meaning.env)
    if at[:2] == ("notify", "webhook"):
        return True
    return at[:2] == ("notify", "command") and (meaning.env or meaning.secret)


def _has_password(url: str) -> bool:
    authority = url.partition("://")[2].partition("/")[0]
    user, at, _ = authority.rpartition("@")
    return bool(at) and ":" in user


def hidden_values(hidden: set[str], variables: Mapping[str, str]) -> tuple[Secret, ...]:
    """Every secret text met, once, longest first, so that masking one never leaves half of another."""
    texts = hidden | {revealed(text) for text in variables.values() if isinstance(text, Secret)}
    return tuple(Secret(text) for text in sorted(texts - {""}, key=lambda text: (-len(text), text)))
