/** Text to take away: a button that copies, and a block of code with one. */
import { Button, Code, Group } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { Icon } from "./Icon";

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const clipboard = useClipboard({ timeout: 2_000 });
  return (
    <Button
      size="compact-sm"
      variant="default"
      leftSection={<Icon name={clipboard.copied ? "check" : "copy"} size={14} />}
      onClick={() => clipboard.copy(text)}
    >
      {clipboard.copied ? "Copied" : clipboard.error ? "Select and copy it" : label}
    </Button>
  );
}

export function CodeBlock({ text, label }: { text: string; label: string }) {
  return (
    <div className="code-block">
      <Code block tabIndex={0} aria-label={label}>
        {text}
      </Code>
      <Group justify="flex-end" mt={6}>
        <CopyButton text={text} />
      </Group>
    </div>
  );
}
