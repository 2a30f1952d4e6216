"""The dashboard: a private bucket behind CloudFront, with the admin API on the same origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as s3_deployment
from constructs import Construct

from infra.admin_access import sign_in_origins
from infra.context import Context
from infra.routes import ROUTES, Route
from infra.site_headers import FURTHER, content_security_policy

# The page's own paths lead to its one document, with and without the prefix that the original's links have.
_REWRITE = r"""
function handler(event) {
  var request = event.request;
  var path = request.uri.replace(/^\/proxy-dashboard(?=\/|$)/, '');
  request.uri = /\.[^/]+$/.test(path) ? path : '/index.html';
  return request;
}
"""


def admin_patterns(routes: Iterable[Route] = ROUTES) -> tuple[str, ...]:
    """CloudFront's path patterns for what the dashboard calls; it takes 25 at most."""
    paths = {path for route in routes if route.function.startswith("admin_") for path in route.paths}
    patterns = {"/api/admin/*"}
    for path in paths:
        literal, parameter, _ = path.partition("{")
        if not path.startswith("/api/admin/"):
            patterns.add(f"{literal}*" if parameter else path)
    return tuple(sorted(patterns))


CLIENT_PATHS = ("/health", "/v1/chat/completions")
"""What the page asks of the data path, on its own origin: how endpoints were last seen, and the playground's chats."""


class AdminSite(Construct):
    """Made before the functions, which must know who issues tokens for it; filled with `publish` at the end."""

    def __init__(self, scope: Construct, chosen: Context, api: apigateway.RestApi) -> None:
        super().__init__(scope, "AdminSite")
        self._bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=RemovalPolicy.DESTROY,  # everything in it is built from the sources
        )
        self.distribution = self._distribution(chosen, api)
        self.url = f"https://{chosen.dashboard_domain or self.distribution.distribution_domain_name}/"
        CfnOutput(scope, "DashboardUrl", value=self.url)

    def publish(self, files: Path, told: Mapping[str, str]) -> None:
        """The static files, and what they are told of this deployment as `config.json`: nothing is built in."""
        s3_deployment.BucketDeployment(
            self,
            "Files",
            destination_bucket=self._bucket,
            sources=[
                s3_deployment.Source.asset(str(files)),
                s3_deployment.Source.json_data("config.json", dict(told)),
            ],
            cache_control=[s3_deployment.CacheControl.no_cache()],  # kept, and asked for anew by its ETag
            memory_limit=256,
            retain_on_delete=False,
        )

    def _distribution(self, chosen: Context, api: apigateway.RestApi) -> cloudfront.Distribution:
        headers = self._headers(chosen)
        rewrite = cloudfront.Function(
            self,
            "Rewrite",
            code=cloudfront.FunctionCode.from_inline(_REWRITE),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        admin_api = cloudfront.BehaviorOptions(
            origin=_api_origin(self, chosen, api),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            response_headers_policy=headers,
        )
        certificate = None
        if chosen.dashboard_domain:
            certificate = acm.Certificate.from_certificate_arn(self, "Certificate", chosen.dashboard_certificate)
        return cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"{chosen.prefix}: dashboard",
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(self._bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=headers,
                compress=True,
                function_associations=[
                    cloudfront.FunctionAssociation(
                        event_type=cloudfront.FunctionEventType.VIEWER_REQUEST, function=rewrite
                    )
                ],
            ),
            additional_behaviors=dict.fromkeys((*admin_patterns(), *CLIENT_PATHS), admin_api),
            default_root_object="index.html",
            domain_names=[chosen.dashboard_domain] if chosen.dashboard_domain else None,
            certificate=certificate,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
        )

    def _headers(self, chosen: Context) -> cloudfront.ResponseHeadersPolicy:
        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            comment=f"{chosen.prefix}: dashboard",
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=content_security_policy(sign_in_origins(self, chosen)),
                    override=True,
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.days(730), include_subdomains=True, override=True
                ),
            ),
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(header=header, value=value, override=True)
                    for header, value in FURTHER
                ]
            ),
        )


def _api_origin(scope: Construct, chosen: Context, api: apigateway.RestApi) -> cloudfront.IOrigin:
    """By the API's id, not by its stage: the stage waits for the functions, and these for the sign-in's client."""
    stack = Stack.of(scope)
    return origins.HttpOrigin(
        f"{api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}",
        origin_path=f"/{chosen.stage}",
        protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
        origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
        read_timeout=Duration.seconds(30),
    )
