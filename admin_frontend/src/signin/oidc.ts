/** Sign-in by OpenID Connect's code flow with PKCE (RFC 7636); the ID token is what the admin API is shown. */
import * as oauth from "oauth4webapi";
import { BASE, type Deployment } from "../deployment";

const TOKENS = "sign-in.tokens";
const FLIGHT = "sign-in.flight";
const EARLY_SECONDS = 60;

interface Tokens {
  idToken: string;
  refreshToken?: string;
  /** Seconds since 1970. */
  expiresAt: number;
}

interface Flight {
  verifier: string;
  state: string;
  nonce: string;
  /** Where the user was. */
  from: string;
}

/** One administrator's sign-in. Tokens live in this tab's session storage and end with it. */
export class OidcSignIn {
  private readonly client: oauth.Client;
  private readonly options: { [oauth.allowInsecureRequests]?: boolean };
  private server: oauth.AuthorizationServer | undefined;
  private refreshing: Promise<Tokens | undefined> | undefined;

  constructor(private readonly deployment: Deployment) {
    this.client = { client_id: deployment.client_id ?? "" };
    // an issuer on this machine, as in development, has no certificate
    this.options = { [oauth.allowInsecureRequests]: deployment.issuer?.startsWith("http://") ?? false };
  }

  /** Leaves this page for the issuer's. */
  async begin(from: string): Promise<void> {
    const flight: Flight = {
      verifier: oauth.generateRandomCodeVerifier(),
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
      from,
    };
    const server = await this.discovered();
    const url = new URL(server.authorization_endpoint ?? "");
    const asked = {
      client_id: this.client.client_id,
      redirect_uri: redirectUri(),
      response_type: "code",
      scope: this.deployment.scopes ?? "openid",
      code_challenge: await oauth.calculatePKCECodeChallenge(flight.verifier),
      code_challenge_method: "S256",
      state: flight.state,
      nonce: flight.nonce,
    };
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
    sessionStorage.setItem(FLIGHT, JSON.stringify(flight));
    location.assign(url);
  }

  /** Whether the address is the issuer's answer. */
  static isAnswer(address: URL): boolean {
    const says = address.searchParams;
    return says.has("state") && (says.has("code") || says.has("error")) && sessionStorage.getItem(FLIGHT) !== null;
  }

  /** Takes the issuer's answer; returns where the user was. Throws with the issuer's words. */
  async finish(address: URL): Promise<string> {
    const flight = JSON.parse(sessionStorage.getItem(FLIGHT) ?? "{}") as Flight;
    sessionStorage.removeItem(FLIGHT);
    const server = await this.discovered();
    const said = oauth.validateAuthResponse(server, this.client, address, flight.state);
    const answer = await oauth
      .authorizationCodeGrantRequest(
        server,
        this.client,
        oauth.None(),
        said,
        redirectUri(),
        flight.verifier,
        this.options,
      )
      .catch((failure: unknown) => {
        throw notReached(failure, server.token_endpoint ?? "", this.deployment.issuer ?? "");
      });
    const result = await oauth.processAuthorizationCodeResponse(server, this.client, answer, {
      expectedNonce: flight.nonce,
      requireIdToken: true,
    });
    keep(result, undefined);
    return flight.from;
  }

  /** An ID token that is still good for a while, or undefined: sign in. */
  async token(): Promise<string | undefined> {
    const tokens = kept();
    if (!tokens) return undefined;
    if (tokens.expiresAt - EARLY_SECONDS > Date.now() / 1000) return tokens.idToken;
    this.refreshing ??= this.refresh(tokens).finally(() => {
      this.refreshing = undefined;
    });
    return (await this.refreshing)?.idToken;
  }

  forget(): void {
    sessionStorage.removeItem(TOKENS);
  }

  /** Leaves this page for the issuer's, which ends its own session too where it can. */
  async end(): Promise<void> {
    const tokens = kept();
    this.forget();
    const { sign_in_url: cognito } = this.deployment;
    let url: URL | undefined;
    if (cognito) {
      url = new URL(`${cognito}/logout`);
      url.searchParams.set("client_id", this.client.client_id);
      url.searchParams.set("logout_uri", redirectUri());
    } else {
      const { end_session_endpoint: place } = await this.discovered();
      if (place) {
        url = new URL(place);
        if (tokens) url.searchParams.set("id_token_hint", tokens.idToken);
        url.searchParams.set("client_id", this.client.client_id);
        url.searchParams.set("post_logout_redirect_uri", redirectUri());
      }
    }
    location.assign(url ?? `${BASE}/`);
  }

  private async discovered(): Promise<oauth.AuthorizationServer> {
    const { issuer = "", sign_in_url: cognito } = this.deployment;
    if (cognito) {
      // Cognito's discovery document has another origin, which the page's policy does not let it ask
      return {
        issuer,
        authorization_endpoint: `${cognito}/oauth2/authorize`,
        token_endpoint: `${cognito}/oauth2/token`,
      };
    }
    if (!this.server) {
      const url = new URL(issuer);
      const answer = await oauth.discoveryRequest(url, this.options);
      this.server = await oauth.processDiscoveryResponse(url, answer);
    }
    return this.server;
  }

  private async refresh(tokens: Tokens): Promise<Tokens | undefined> {
    if (!tokens.refreshToken) return this.lost();
    const server = await this.discovered();
    const answer = await oauth.refreshTokenGrantRequest(
      server,
      this.client,
      oauth.None(),
      tokens.refreshToken,
      this.options,
    );
    try {
      return keep(await oauth.processRefreshTokenResponse(server, this.client, answer), tokens);
    } catch (refused) {
      if (refused instanceof oauth.ResponseBodyError) return this.lost();
      throw refused;
    }
  }

  private lost(): undefined {
    this.forget();
    return undefined;
  }
}

/** A browser does not say why a call was not made; of another origin than the issuer's, the page's policy must know. */
function notReached(failure: unknown, endpoint: string, issuer: string): unknown {
  if (!(failure instanceof TypeError)) return failure;
  const { origin } = new URL(endpoint);
  const hint = origin === new URL(issuer).origin ? "" : `; the deployment must name it (OIDC_ORIGINS, docs/access.md)`;
  return new Error(`${origin} could not be asked for the token${hint}`);
}

/** The only address that a deployment registers with its issuer. */
function redirectUri(): string {
  return `${location.origin}/`;
}

function keep(answer: oauth.TokenEndpointResponse, before: Tokens | undefined): Tokens {
  const idToken = answer.id_token ?? before?.idToken ?? "";
  const tokens: Tokens = {
    idToken,
    refreshToken: answer.refresh_token ?? before?.refreshToken,
    expiresAt: expiryOf(idToken),
  };
  sessionStorage.setItem(TOKENS, JSON.stringify(tokens));
  return tokens;
}

function kept(): Tokens | undefined {
  const text = sessionStorage.getItem(TOKENS);
  return text ? (JSON.parse(text) as Tokens) : undefined;
}

function expiryOf(token: string): number {
  const payload = token.split(".")[1] ?? "";
  const claims = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/"))) as { exp?: number };
  return claims.exp ?? 0;
}
