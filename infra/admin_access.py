"""How administrators are known: by Cognito's pool and sign-in page, another issuer, or the session service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.context import Context

VIEWERS = "viewers"
_SCOPES = ("openid", "email")


class AdminAccess(NamedTuple):
    """`environment` tells the functions, `sign_in` the dashboard; `authorizer` is API Gateway's own check, if any."""

    environment: Mapping[str, str]
    sign_in: Mapping[str, str]
    authorizer: apigateway.IAuthorizer | None


def sign_in_origins(scope: Construct, chosen: Context) -> tuple[str, ...]:
    """Where the dashboard's script must be able to connect to beside its own origin."""
    if chosen.auth == "cognito":
        return (_cognito_url(scope, chosen),)
    if chosen.auth == "oidc":
        parts = urlsplit(chosen.oidc_issuer)
        return (f"{parts.scheme}://{parts.netloc}", *chosen.oidc_origins)
    return ()


def make_admin_access(scope: Construct, chosen: Context, dashboard_url: str) -> AdminAccess:
    """`dashboard_url` is where the sign-in page leads back to."""
    if chosen.auth == "cognito":
        return _by_cognito(scope, chosen, dashboard_url)
    if chosen.auth == "oidc":
        environment, sign_in = _by_issuer(chosen.oidc_issuer, chosen.oidc_audience)
        groups = {"OIDC_ADMIN_GROUP": chosen.oidc_admin_group, "OIDC_VIEWER_GROUP": chosen.oidc_viewer_group}
        environment |= {name: group for name, group in groups.items() if group}
        return AdminAccess(environment, sign_in, None)
    if chosen.auth == "session":
        environment = {"ADMIN_ACCESS": "session", "AUTH_ENABLED": "true", "AIMENU_URL": chosen.session_url}
        return AdminAccess(
            environment, {"auth": "session", "login_url": f"{chosen.session_url.rstrip('/')}/login"}, None
        )
    return AdminAccess({"ADMIN_ACCESS": "none", "ALLOW_OPEN_ADMIN": "true"}, {"auth": "none"}, None)


def _by_issuer(issuer: str, audience: str) -> tuple[dict[str, str], dict[str, str]]:
    environment = {"ADMIN_ACCESS": "oidc", "OIDC_ISSUER": issuer, "OIDC_AUDIENCE": audience}
    return environment, {"auth": "oidc", "issuer": issuer, "client_id": audience, "scopes": " ".join(_SCOPES)}


def _by_cognito(scope: Construct, chosen: Context, dashboard_url: str) -> AdminAccess:
    """Nobody signs up: administrators are created with one command (docs/deploy.md)."""
    pool = cognito.UserPool(
        scope,
        "Administrators",
        user_pool_name=f"{chosen.prefix}-administrators",
        self_sign_up_enabled=False,
        sign_in_aliases=cognito.SignInAliases(email=True),
        sign_in_case_sensitive=False,
        account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
        password_policy=cognito.PasswordPolicy(
            min_length=12, require_digits=True, require_lowercase=True, require_uppercase=True, require_symbols=True
        ),
        mfa=cognito.Mfa.REQUIRED if chosen.production else cognito.Mfa.OPTIONAL,
        mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
        deletion_protection=chosen.keeps_data,
        removal_policy=RemovalPolicy.RETAIN if chosen.keeps_data else RemovalPolicy.DESTROY,
    )
    pool.add_domain(
        "SignIn", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"{chosen.prefix}-{Aws.ACCOUNT_ID}")
    )
    client = pool.add_client(
        "Dashboard",
        generate_secret=False,  # a page in a browser keeps none; the code flow is bound by PKCE
        prevent_user_existence_errors=True,
        # for scripts: only who may call the pool with AWS credentials can sign in this way
        auth_flows=cognito.AuthFlow(admin_user_password=True),
        o_auth=cognito.OAuthSettings(
            flows=cognito.OAuthFlows(authorization_code_grant=True),
            scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL],
            callback_urls=[dashboard_url],
            logout_urls=[dashboard_url],
        ),
        id_token_validity=Duration.hours(1),
        access_token_validity=Duration.hours(1),
        refresh_token_validity=Duration.hours(12),
    )
    # who is in no group administers, as nobody is there by chance
    cognito.CfnUserPoolGroup(
        scope,
        "Viewers",
        user_pool_id=pool.user_pool_id,
        group_name=VIEWERS,
        description="look at everything and change nothing",
    )
    environment, sign_in = _by_issuer(pool.user_pool_provider_url, client.user_pool_client_id)
    environment["OIDC_VIEWER_GROUP"] = VIEWERS
    sign_in["sign_in_url"] = _cognito_url(scope, chosen)
    CfnOutput(scope, "UserPoolId", value=pool.user_pool_id, description="where administrators are created")
    CfnOutput(scope, "UserPoolClientId", value=client.user_pool_client_id)
    # without scopes it wants the ID token, whose audience is the client: the one that the functions check too
    authorizer = apigateway.CognitoUserPoolsAuthorizer(
        scope, "AdminAuthorizer", cognito_user_pools=[pool], results_cache_ttl=Duration.minutes(5)
    )
    return AdminAccess(environment, sign_in, authorizer)


def _cognito_url(scope: Construct, chosen: Context) -> str:
    return f"https://{chosen.prefix}-{Aws.ACCOUNT_ID}.auth.{Stack.of(scope).region}.amazoncognito.com"
