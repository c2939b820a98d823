"""The settings of accounts: lifetimes and the cost of a password check.

How often somebody may try is the host's setting `rate_limits`; the names of the limits stand in
`torg_auth.services.limiting`.
"""

from pydantic import Field, SecretStr

from torg_auth.contact_settings import ContactSettings

_PAGE = r"^(https?://[^\s?#]+)?$"
# Secrets travel there: https, or http to this machine itself.
_SAFE_ADDRESS = r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^\s?#]*)?)?$"


class AuthSettings(ContactSettings):
    """Section `[auth]`, or `TORG_AUTH_…`. Signing keys are the host's `secret_key` and its
    `secret_key_fallbacks`: add the old key to the fallbacks and every token stays valid.
    """

    access_minutes: int = Field(15, ge=1, le=60, description="Life of an access token.")
    refresh_days: int = Field(
        30, ge=1, le=365, description="Life of a session that nobody refreshes."
    )
    code_minutes: int = Field(
        15, ge=1, le=60, description="Life of a mailed code and of the link beside it."
    )
    code_tries: int = Field(5, ge=1, le=10, description="Tries until a mailed code is dead.")
    issuer: str = Field(
        "torg",
        min_length=1,
        max_length=100,
        description="`iss` of access tokens; the same for every process of a deployment.",
    )
    audience: str = Field(
        "torg", min_length=1, max_length=100, description="`aud` of access tokens."
    )
    parallel_hashes: int = Field(
        4, ge=1, le=64, description="Password checks at once in one process; others wait."
    )
    hash_memory_kib: int = Field(
        19456, ge=8192, le=1_048_576, description="Memory of one password check (argon2id)."
    )
    hash_passes: int = Field(2, ge=1, le=20, description="Passes of one password check (argon2id).")
    confirm_url: str = Field(
        "",
        max_length=500,
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Page that confirmation links open, with `?token=…` appended; "
        "empty: the API's own answer.",
    )
    social_callback_url: str = Field(
        "",
        max_length=500,
        pattern=_PAGE,
        description="Page of your own to which providers send browsers back, `{provider}` stands "
        "for the name; it calls the API's callback with the same query. Empty: the callback.",
    )
    oidc_issuer: str = Field(
        "",
        max_length=500,
        pattern=_SAFE_ADDRESS,
        description="Issuer of any OpenID Connect provider, exactly as it calls itself; plain "
        "http only on this machine.",
    )
    oidc_client_id: str = Field("", max_length=255, description="Our id there.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="Our secret there.")
    google_client_id: str = Field("", max_length=255, description="Our id at Google.")
    google_client_secret: SecretStr = Field(SecretStr(""), description="Our secret at Google.")
    github_client_id: str = Field("", max_length=255, description="Our id at GitHub.")
    github_client_secret: SecretStr = Field(SecretStr(""), description="Our secret at GitHub.")
    github_url: str = Field(
        "https://github.com", pattern=_SAFE_ADDRESS, description="For GitHub Enterprise."
    )
    github_api_url: str = Field(
        "https://api.github.com", pattern=_SAFE_ADDRESS, description="For GitHub Enterprise."
    )
