/** Another secret for the same key, the old one good for a while more. */
import { Button, NumberInput, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../../api/client";
import type { ApiKey } from "../../api/queries";
import { type Amount, orNull } from "../../parts/amounts";
import { Confirm } from "../../parts/Confirm";

const HOURS = 24;

export function Rotate({ apiKey, onRotated }: { apiKey: ApiKey; onRotated: (text: string) => void }) {
  const queries = useQueryClient();
  const [opened, setOpened] = useState(false);
  const [hours, setHours] = useState<Amount>(HOURS);
  const rotate = useMutation({
    mutationFn: () =>
      ask(
        api.POST("/api/admin/api-keys/{id}/rotate", {
          params: { path: { id: apiKey.id } },
          body: { overlap_seconds: Math.round((orNull(hours) ?? 0) * 3_600) },
        }),
      ),
    onSuccess: async ({ api_key: text }) => {
      setOpened(false);
      onRotated(text);
      await queries.invalidateQueries({ queryKey: ["api-keys"] });
    },
  });
  return (
    <>
      <Button variant="default" onClick={() => setOpened(true)}>
        Rotate
      </Button>
      <Confirm
        opened={opened}
        title={`Rotate the key ${apiKey.label}?`}
        verb="Rotate"
        harmless
        busy={rotate.isPending}
        error={rotate.error}
        onConfirm={() => rotate.mutate()}
        onClose={() => setOpened(false)}
      >
        <Stack gap="sm">
          <Text size="sm">
            It gets another secret, shown once; its label, limits and usage stay. The present secret opens a while more,
            so that clients can be changed one by one.
          </Text>
          <NumberInput
            label="Hours that the present secret still opens"
            description="0 ends it at once"
            min={0}
            value={hours}
            onChange={(value) => setHours(value)}
          />
        </Stack>
      </Confirm>
    </>
  );
}
