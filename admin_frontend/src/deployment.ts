/** What `config.json` tells of the deployment that serves this page; nothing of it is built in. */
export interface Deployment {
  auth: "none" | "session" | "oidc";
  /** Where clients call, without /v1. */
  api_url?: string;
  /** session: where a browser logs in. */
  login_url?: string;
  /** oidc */
  issuer?: string;
  client_id?: string;
  scopes?: string;
  /** Cognito's sign-in pages, which have an origin of their own. */
  sign_in_url?: string;
}

export const BASE = "/proxy-dashboard";

export async function loadDeployment(): Promise<Deployment> {
  const answer = await fetch(`${BASE}/config.json`, { cache: "no-store" });
  if (!answer.ok) throw new Error(`config.json could not be read (HTTP ${answer.status})`);
  return (await answer.json()) as Deployment;
}

/** The base URL that clients are given. */
export function clientUrl(deployment: Deployment): string {
  return `${(deployment.api_url ?? location.origin).replace(/\/$/, "")}/v1`;
}
