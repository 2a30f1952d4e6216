/** Who uses the page: known to everything below the gate. */
import { createContext, use } from "react";
import type { Deployment } from "../deployment";

export interface Session {
  deployment: Deployment;
  user: string;
  /** A viewer reads every page and changes nothing; the server sees to it. */
  role: "admin" | "viewer";
  /** Absent where nobody had to sign in. */
  signOut?: () => void;
}

export const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
  const session = use(SessionContext);
  if (!session) throw new Error("the page is shown behind the gate only");
  return session;
}
