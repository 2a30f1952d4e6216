// An OpenID provider that nobody here wrote (the npm package oidc-provider), for the sign-in tests.
// Arguments: its port, that of its token endpoint, the page's redirect address, the seconds that an ID token lives.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../admin_frontend/package.json", import.meta.url));
const { default: Provider } = await import(require.resolve("oidc-provider"));

const [port, tokenPort, page, seconds] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "dashboard",
      application_type: "native", // which may lead back to http on this machine
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      redirect_uris: [page],
      post_logout_redirect_uris: [page],
    },
  ],
  claims: { openid: ["sub"], email: ["email", "groups"] },
  conformIdTokenClaims: false,
  clientBasedCORS: () => true,
  issueRefreshToken: () => true,
  pkce: { required: () => true },
  ttl: { IdToken: Number(seconds), AccessToken: 600, RefreshToken: 600, Session: 600, Grant: 600, Interaction: 600 },
  // whoever signs in with the name root is an administrator
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org`, groups: id === "root" ? ["admins"] : ["guests"] }),
  }),
});
// as Google's does, its document leads to a token endpoint on another origin
provider.use(async (context, next) => {
  await next();
  if (context.path === "/.well-known/openid-configuration") {
    context.body = { ...context.body, token_endpoint: `http://127.0.0.1:${tokenPort}/token` };
  }
});
provider.listen(Number(tokenPort), "127.0.0.1", () =>
  provider.listen(Number(port), "127.0.0.1", () => console.log("listening")),
);
