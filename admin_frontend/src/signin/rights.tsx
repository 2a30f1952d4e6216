/** What the session's role allows, decided here alone. It is courtesy: the server refuses the rest, whatever is shown. */
import { Alert } from "@mantine/core";
import type { ReactNode } from "react";
import { useSession } from "./session";

export const LOOK_ONLY = "You are signed in as a viewer: you may look at everything and change nothing.";

export const useMayChange = (): boolean => useSession().role === "admin";

interface Props {
  children: ReactNode;
  /** For those who may only look. */
  instead?: ReactNode;
}

/** What changes something, and so is shown to administrators. */
export function Changing({ children, instead = null }: Props) {
  return useMayChange() ? children : instead;
}

/** In place of what somebody may not do, with the reason. */
export function LookOnly({ children = "An administrator can do this." }: { children?: ReactNode }) {
  return (
    <Alert variant="default" title="Nothing can be changed here">
      {LOOK_ONLY} {children}
    </Alert>
  );
}

/** A form's fields, which viewers read and cannot change. */
export function Fields({ children }: { children: ReactNode }) {
  const mayChange = useMayChange();
  return (
    <fieldset className="fields" disabled={!mayChange}>
      {children}
    </fieldset>
  );
}
