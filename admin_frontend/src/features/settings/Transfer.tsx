/** The configuration as one YAML file: taken out by everybody, brought in by administrators. */
import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { api, ask, asRefusal } from "../../api/client";
import { Icon } from "../../parts/Icon";
import { useTell } from "../../parts/Notices";
import { download } from "../../parts/download";
import { Changing } from "../../signin/rights";
import { Import } from "./Import";

export function Transfer() {
  const tell = useTell();
  const save = useMutation({
    mutationFn: () =>
      ask<unknown>(api.GET("/api/admin/config/export", { parseAs: "text" }) as Promise<{ data?: unknown; response: Response }>),
    onSuccess: (yaml) => download(new Blob([String(yaml)], { type: "application/yaml" }), "serverless-proxy.yaml"),
    onError: (error) => tell.failed(`Nothing was exported: ${asRefusal(error).message}`),
  });
  return (
    <Paper withBorder p="lg">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h4">
            Configuration as a file
          </Title>
          <Button
            variant="default"
            leftSection={<Icon name="download" size={16} />}
            loading={save.isPending}
            onClick={() => save.mutate()}
          >
            Export YAML
          </Button>
        </Group>
        <Text size="sm" c="dimmed">
          Endpoints, virtual models, patterns and settings, without secrets and client keys.
          <Changing>
            {" "}
            An import makes the configuration what the file says; nothing happens before the difference was shown.
          </Changing>
        </Text>
        <Changing>
          <Import />
        </Changing>
      </Stack>
    </Paper>
  );
}
