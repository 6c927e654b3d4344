"""Tokens and the endpoints that make them, as the SDK asks for them and as the service was seen to answer."""

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, PermissionDenied, Unauthenticated
import pytest
import requests

from tests.fakes.databricks.identity import EXPIRED, USER

SIGNED = {"client_id": "emulator-client", "client_secret": "emulator-secret"}


@pytest.fixture
def service(emulator):
    """The SDK with an OAuth client's credentials."""
    return WorkspaceClient(config=emulator.config(**SIGNED))


def test_who_am_i(client):
    """SDK: `current_user.me` asks /api/2.0/preview/scim/v2/Me."""
    assert client.current_user.me().user_name == USER


def test_the_sdk_finds_the_workspace(emulator):
    """SDK `Config`: GET /.well-known/databricks-config, without a token."""
    config = emulator.config()
    assert (config.workspace_id, config.cloud.value) == ("4711", "AWS")
    assert config.discovery_url == f"{emulator.url}/oidc/.well-known/oauth-authorization-server"
    (seen,) = emulator.log
    assert (seen.path, seen.authorized, seen.status) == ("/.well-known/databricks-config", False, 200)


def test_without_a_token_nothing_is_told(emulator):
    """The service answers 401 "Credential was not sent or was of an unsupported type for this API."."""
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        answer = requests.get(f"{emulator.url}/api/2.0/dbfs/list?path=/", headers=headers, timeout=5)
        assert (answer.status_code, answer.json()["error_code"]) == (401, 401)


def test_a_wrong_token_is_403_with_a_number_for_a_code(emulator):
    """databricks/databricks-sdk-go issue 917: {"error_code": 403, "message": "Invalid access token."}."""
    client = WorkspaceClient(config=emulator.config(token="dapi-other"))
    with pytest.raises(PermissionDenied, match="Invalid access token") as refused:
        client.current_user.me()
    assert refused.value.error_code == 403


def test_a_client_gets_a_token_of_its_own(service, emulator):
    """SDK oauth-m2m: the token endpoint is found by discovery; client credentials, Basic."""
    service.current_user.me()
    service.current_user.me()
    assert emulator.identity.tokens_made == 1
    assert [seen.status for seen in emulator.log.of("POST", "/oidc/v1/token")] == [200]


def test_a_wrong_secret_gets_none(emulator):
    """RFC 6749, 5.2: invalid_client, 401."""
    client = WorkspaceClient(config=emulator.config(client_id="emulator-client", client_secret="wrong"))
    with pytest.raises(ValueError, match="invalid_client"):
        client.current_user.me()
    assert emulator.identity.tokens_made == 0


@pytest.mark.parametrize(
    ("told", "kind"), [*zip(EXPIRED, (Unauthenticated, PermissionDenied, BadRequest), strict=True)]
)
def test_a_token_runs_out_after_some_requests(service, emulator, told, kind):
    """databrickslabs/splunk-integration issue 55: 401 "Token is expired", earlier 400 ExpiredJwtException, earlier 403;
    databricks/databricks-vscode issue 583: 403 "Token is expiring within 30 seconds"."""
    emulator.identity.expired = told
    service.current_user.me()
    emulator.identity.expire(after=1)
    service.current_user.me()
    with pytest.raises(kind):
        service.current_user.me()
    assert emulator.identity.tokens_made == 1


def test_a_client_that_forgets_its_token_gets_another(emulator):
    """A new `Config` has no token yet; so a refresh can be seen."""
    emulator.identity.requests_a_token = 2
    for made in (1, 2):
        service = WorkspaceClient(config=emulator.config(**SIGNED))
        service.current_user.me()
        service.current_user.me()
        with pytest.raises(DatabricksError):
            service.current_user.me()
        assert emulator.identity.tokens_made == made


def test_the_sdk_refreshes_a_token_that_it_knows_to_run_out(emulator):
    """SDK `oauth.Refreshable`: by `expires_in`, before each request."""
    emulator.identity.lifetime_s = 1
    service = WorkspaceClient(config=emulator.config(**SIGNED))
    service.current_user.me()
    service.current_user.me()
    assert emulator.identity.tokens_made == 2
