/** Short words about what just happened, spoken to screen readers and gone by themselves. */
import { Notification } from "@mantine/core";
import { type ReactNode, createContext, use, useCallback, useMemo, useRef, useState } from "react";

interface Notice {
  id: number;
  text: string;
  bad: boolean;
}

interface Tell {
  done: (text: string) => void;
  failed: (text: string) => void;
}

const SECONDS = 6;
const TellContext = createContext<Tell>({ done: () => {}, failed: () => {} });

export const useTell = (): Tell => use(TellContext);

export function Notices({ children }: { children: ReactNode }) {
  const [notices, setNotices] = useState<Notice[]>([]);
  const next = useRef(0);
  const close = useCallback((id: number) => setNotices((all) => all.filter((each) => each.id !== id)), []);
  const show = useCallback(
    (text: string, bad: boolean) => {
      const id = next.current++;
      setNotices((all) => [...all.slice(-2), { id, text, bad }]);
      setTimeout(close, SECONDS * 1_000, id);
    },
    [close],
  );
  const tell = useMemo(
    () => ({ done: (text: string) => show(text, false), failed: (text: string) => show(text, true) }),
    [show],
  );
  return (
    <TellContext value={tell}>
      {children}
      <div className="notices" role="status" aria-live="polite">
        {notices.map((each) => (
          <Notification
            key={each.id}
            color={each.bad ? "red" : "teal"}
            withBorder
            onClose={() => close(each.id)}
            closeButtonProps={{ "aria-label": "Close this notice" }}
          >
            {each.text}
          </Notification>
        ))}
      </div>
    </TellContext>
  );
}
