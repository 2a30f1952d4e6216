/** The key itself, this once. */
import { Alert, Code, Group, Stack, Text } from "@mantine/core";
import { clientUrl } from "../../deployment";
import { CodeBlock, CopyButton } from "../../parts/Copy";
import { useSession } from "../../signin/session";

export function ShownKey({ text, verb }: { text: string; verb: string }) {
  const { deployment } = useSession();
  return (
    <Alert color="teal" title={`The key is ${verb}. Copy it now: it is not shown again.`}>
      <Stack gap="sm">
        <Group gap="sm">
          <Code className="mono" aria-label="The new key">
            {text}
          </Code>
          <CopyButton text={text} label="Copy the key" />
        </Group>
        <Text size="sm">Clients are configured with it like this:</Text>
        <CodeBlock
          label="Environment of a client"
          text={`export OPENAI_BASE_URL=${clientUrl(deployment)}\nexport OPENAI_API_KEY=${text}`}
        />
      </Stack>
    </Alert>
  );
}
