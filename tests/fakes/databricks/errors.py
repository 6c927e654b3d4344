"""How the services say no."""

from __future__ import annotations

from tests.fakes.databricks.wire import Answer, as_json

INVALID = "INVALID_PARAMETER_VALUE"
MISSING = "RESOURCE_DOES_NOT_EXIST"
EXISTS = "RESOURCE_ALREADY_EXISTS"


class RefusedError(Exception):
    """A request that is answered with an error; `reason` goes into the details, as the Files API has it."""

    def __init__(self, status: int, code: str | int, message: str, *, reason: str | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.reason = status, code, message, reason

    def answer(self) -> Answer:
        """The same as an answer."""
        return error(self.status, self.code, self.message, reason=self.reason)


def error(
    status: int, code: str | int, message: str = "as told", *, reason: str | None = None, **headers: str
) -> Answer:
    """An error as the services spell one; underscores in header names stand for hyphens."""
    said: dict[str, object] = {"error_code": code, "message": message}
    if reason is not None:
        domain = "filesystem" if reason.startswith("FILES_API") else "workspace"
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        said["details"] = [{"@type": kind, "reason": reason, "domain": f"{domain}.databricks.com"}]
    return as_json(said, status, **{name.replace("_", "-"): value for name, value in headers.items()})


def invalid(message: str) -> RefusedError:
    """A parameter that cannot be."""
    return RefusedError(400, INVALID, message)
