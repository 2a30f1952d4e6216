/** How an endpoint was last seen: a dot and words, never colour alone. */
import { Text } from "@mantine/core";
import type { Sighting } from "../api/queries";
import { ago, dateTime } from "./formats";

export function Seen({ sighting, enabled }: { sighting: Sighting | undefined; enabled: boolean }) {
  if (!enabled) return <Dot kind="off" text="Disabled" />;
  if (!sighting?.last_seen) return <Dot kind="none" text="Not asked yet" />;
  const text = sighting.healthy ? "Answers" : `Fails: ${sighting.error ?? "unknown"}`;
  return (
    <span title={dateTime(sighting.last_seen)}>
      <Dot kind={sighting.healthy ? "good" : "bad"} text={text} />{" "}
      <Text component="span" size="xs" c="dimmed">
        {ago(sighting.last_seen)}
      </Text>
    </span>
  );
}

export function Dot({ kind, text }: { kind: "good" | "bad" | "off" | "none"; text: string }) {
  return (
    <span className="dot" data-kind={kind}>
      {text}
    </span>
  );
}
