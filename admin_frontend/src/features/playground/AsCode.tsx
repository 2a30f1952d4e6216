/** The same request for a terminal and for a program. */
import { Paper, Tabs } from "@mantine/core";
import { CodeBlock } from "../../parts/Copy";
import { asCurl, asPython } from "./snippets";
import type { Request } from "./stream";

export function AsCode({ url, request }: { url: string; request: Request }) {
  return (
    <Paper withBorder p="md">
      <Tabs defaultValue="curl" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="curl">curl</Tabs.Tab>
          <Tabs.Tab value="python">Python</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="curl" pt="sm">
          <CodeBlock label="The request as curl" text={asCurl(url, request)} />
        </Tabs.Panel>
        <Tabs.Panel value="python" pt="sm">
          <CodeBlock label="The request as Python" text={asPython(url, request)} />
        </Tabs.Panel>
      </Tabs>
    </Paper>
  );
}
