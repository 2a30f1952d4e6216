/** What the page shows as CSV: by what its table shows, or every attempt. */
import { Button, Menu } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { asRefusal } from "../../api/client";
import { type Grain, type Stretch, exportUsage } from "../../api/usage";
import { Icon } from "../../parts/Icon";
import { useTell } from "../../parts/Notices";
import { download } from "../../parts/download";

const GRAINS: readonly { by: Grain; label: string }[] = [
  { by: "day", label: "A line for each day" },
  { by: "model", label: "… for each day and model" },
  { by: "endpoint", label: "… for each day and endpoint" },
  { by: "key", label: "… for each day and key" },
  { by: "attempt", label: "… for each attempt" },
];

export function Csv({ stretch }: { stretch: Stretch }) {
  const tell = useTell();
  const save = useMutation({
    mutationFn: (by: Grain) => exportUsage(stretch, by),
    onSuccess: (csv, by) => download(csv, `usage-by-${by}-${new Date().toISOString().slice(0, 10)}.csv`),
    onError: (error) => tell.failed(`Nothing was exported: ${asRefusal(error).message}`),
  });
  const filtered = stretch.virtual_model !== undefined || stretch.key_id !== undefined;
  return (
    <Menu position="bottom-end" withinPortal={false}>
      <Menu.Target>
        <Button variant="default" leftSection={<Icon name="download" size={16} />} loading={save.isPending}>
          Export CSV
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {GRAINS.map(({ by, label }) => (
          <Menu.Item
            key={by}
            onClick={() => save.mutate(by)}
            // endpoints are counted over all models and keys
            disabled={by === "endpoint" && filtered}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
