/** Shows the page to whom the deployment lets in, and a way to sign in to others. */
import { Alert, Button, Center, Loader, Modal, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { type FormEvent, type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { speakAs } from "../api/client";
import { BASE, type Deployment, loadDeployment } from "../deployment";
import type { OidcSignIn } from "./oidc";
import { SessionContext } from "./session";

const SESSION_TOKEN = "sign-in.session-token";

type State =
  | { is: "asking" }
  | { is: "in"; deployment: Deployment; user: string; role: "admin" | "viewer"; ended?: string }
  | { is: "out"; deployment: Deployment; why?: string }
  | { is: "broken"; why: string };

interface Validity {
  valid: boolean;
  user?: string;
  role?: string;
}

export function Gate({ children }: { children: ReactNode }) {
  const [state, setState] = useState<State>({ is: "asking" });
  const oidc = useRef<OidcSignIn>(undefined);

  const enter = useCallback(async () => {
    try {
      const deployment = await loadDeployment();
      if (deployment.auth === "oidc") {
        // read only where it is needed: it brings the protocol's library
        const { OidcSignIn: SignInByOidc } = await import("./oidc");
        const signIn = (oidc.current ??= new SignInByOidc(deployment));
        const address = new URL(location.href);
        if (SignInByOidc.isAnswer(address)) {
          try {
            history.replaceState(null, "", await signIn.finish(address));
          } catch (refused) {
            history.replaceState(null, "", `${BASE}/`);
            setState({ is: "out", deployment, why: `The sign-in failed: ${words(refused)}` });
            return;
          }
        }
      }
      const headers = () => headersFor(deployment, oidc.current);
      // who is in stays there, with what is half written, until the sign-in is made anew
      const out = (why?: string) =>
        setState((before) =>
          before.is === "in"
            ? { ...before, ended: why ?? "You are not signed in any more." }
            : { is: "out", deployment, why },
        );
      speakAs({ headers, refused: () => out("The session has ended.") });
      const answer = await fetch("/session/validate", { headers: await headers(), credentials: "same-origin" });
      const said = (await answer.json()) as Validity;
      if (said.valid) {
        setState({ is: "in", deployment, user: said.user ?? "", role: said.role === "viewer" ? "viewer" : "admin" });
      } else out(await whyNot(deployment, oidc.current));
    } catch (failure) {
      setState({ is: "broken", why: words(failure) });
    }
  }, []);

  useEffect(() => {
    void enter();
  }, [enter]);

  switch (state.is) {
    case "asking":
      return (
        <Center mih="100dvh">
          <Loader aria-label="Asking who you are" />
        </Center>
      );
    case "broken":
      return (
        <Card title="The gateway cannot be reached">
          <Text>{state.why}</Text>
          <Button onClick={() => void enter()}>Try again</Button>
        </Card>
      );
    case "out":
      return (
        <SignIn
          deployment={state.deployment}
          why={state.why}
          begin={() => oidc.current?.begin(placeOf()).catch((refused: unknown) => {
            setState({ is: "out", deployment: state.deployment, why: words(refused) });
          })}
          retry={() => void enter()}
        />
      );
    case "in": {
      const signOut = {
        none: undefined,
        session: () => void endSession().then(() => setState({ is: "out", deployment: state.deployment })),
        oidc: () => void oidc.current?.end(),
      }[state.deployment.auth];
      return (
        <SessionContext value={{ deployment: state.deployment, user: state.user, role: state.role, signOut }}>
          {children}
          <Modal
            opened={state.ended !== undefined}
            onClose={() => {}}
            withCloseButton={false}
            title="The session has ended"
            centered
          >
            <Stack>
              <Text size="sm">{state.ended}</Text>
              {state.deployment.auth === "oidc" ? (
                <>
                  <Text size="sm">Signing in leaves this page; what is not saved here is lost.</Text>
                  <Button onClick={() => void oidc.current?.begin(placeOf())}>Sign in again</Button>
                </>
              ) : (
                <>
                  <Text size="sm">Log in again in another tab and go on here: what you wrote is still there.</Text>
                  <SessionSignIn loginUrl={state.deployment.login_url} retry={() => void enter()} elsewhere />
                  <Button onClick={() => void enter()}>Go on</Button>
                </>
              )}
            </Stack>
          </Modal>
        </SessionContext>
      );
    }
  }
}

function SignIn(props: { deployment: Deployment; why?: string; begin: () => void; retry: () => void }) {
  const { deployment, why } = props;
  return (
    <Card title="Serverless Proxy">
      {why && (
        <Alert color="yellow" role="alert">
          {why}
        </Alert>
      )}
      {deployment.auth === "oidc" ? (
        <>
          <Text>Sign in to administer this gateway.</Text>
          <Button onClick={props.begin}>Sign in</Button>
        </>
      ) : (
        <SessionSignIn loginUrl={deployment.login_url} retry={props.retry} />
      )}
    </Card>
  );
}

function SessionSignIn({ loginUrl, retry, elsewhere }: { loginUrl?: string; retry: () => void; elsewhere?: boolean }) {
  const [token, setToken] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    sessionStorage.setItem(SESSION_TOKEN, token.trim());
    retry();
  };
  return (
    <>
      {!elsewhere && <Text>Administrators of this gateway log in at the session service.</Text>}
      {loginUrl && (
        <Button
          component="a"
          href={`${loginUrl}?redirect=${encodeURIComponent(placeOf())}`}
          target={elsewhere ? "_blank" : undefined}
          rel="noreferrer"
          variant={elsewhere ? "default" : "filled"}
        >
          Log in
        </Button>
      )}
      <form onSubmit={submit}>
        <Stack gap="sm">
          <PasswordInput
            label="Session token"
            description="For a service that hands out tokens instead of setting a cookie for this host"
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            autoComplete="off"
          />
          <Button type="submit" variant="default" disabled={!token.trim()}>
            Use this token
          </Button>
        </Stack>
      </form>
    </>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder p="xl" maw={440} w="100%">
        <Stack>
          <Title order={1} size="h3">
            {title}
          </Title>
          {children}
        </Stack>
      </Paper>
    </Center>
  );
}

async function headersFor(deployment: Deployment, oidc: OidcSignIn | undefined): Promise<Record<string, string>> {
  if (deployment.auth === "oidc") {
    const token = await oidc?.token();
    return token ? { authorization: `Bearer ${token}` } : {};
  }
  const token = sessionStorage.getItem(SESSION_TOKEN);
  return deployment.auth === "session" && token ? { "x-session-token": token } : {};
}

/** The service ends its session; what this tab has been given is forgotten, whatever the service says. */
async function endSession(): Promise<void> {
  const token = sessionStorage.getItem(SESSION_TOKEN);
  sessionStorage.removeItem(SESSION_TOKEN);
  const headers: Record<string, string> = token ? { "x-session-token": token } : {};
  await fetch("/session/logout", { method: "POST", headers, credentials: "same-origin" }).catch(() => undefined);
}

/** Why the gateway does not know somebody who has shown something. */
async function whyNot(deployment: Deployment, oidc: OidcSignIn | undefined): Promise<string | undefined> {
  const shown = await headersFor(deployment, oidc);
  if (Object.keys(shown).length === 0) return undefined;
  oidc?.forget();
  sessionStorage.removeItem(SESSION_TOKEN);
  return deployment.auth === "oidc"
    ? "This account may not administer the gateway."
    : "The session service does not know this token.";
}

function placeOf(): string {
  const here = `${location.pathname}${location.search}`;
  return here.startsWith(BASE) ? here : `${BASE}/`;
}

function words(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}
