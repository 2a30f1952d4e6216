/** Where a virtual model leads, in order: the next one is asked when one fails before its first word. */
import { ActionIcon, Autocomplete, Button, Group, Select, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, ask, asRefusal } from "../../api/client";
import type { Endpoint } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { type TargetDraft, newRow } from "./values";

interface Props {
  targets: TargetDraft[];
  endpoints: readonly Endpoint[];
  change: (targets: TargetDraft[]) => void;
  error: (field: string) => string | undefined;
}

export function Targets({ targets, endpoints, change, error }: Props) {
  const replace = (index: number, part: Partial<TargetDraft>) =>
    change(targets.map((each, place) => (place === index ? { ...each, ...part } : each)));
  const move = (index: number, by: number) => {
    const moved = [...targets];
    const [one] = moved.splice(index, 1);
    if (one) moved.splice(index + by, 0, one);
    change(moved);
  };
  return (
    <Stack gap="md">
      {targets.map((target, index) => (
        <fieldset key={target.row} className="target">
          <legend>{index === 0 ? "Asked first" : `Fallback ${index}`}</legend>
          <div className="two">
            <Select
              label="Endpoint"
              required
              searchable
              placeholder="Choose one"
              data={endpoints.map((each) => ({
                value: String(each.id),
                label: each.enabled ? each.name : `${each.name} (disabled)`,
              }))}
              value={target.endpoint_id === null ? null : String(target.endpoint_id)}
              onChange={(value) => replace(index, { endpoint_id: value === null ? null : Number(value) })}
              error={error(`targets[${index}].endpoint_id`) ?? (index === 0 ? error("endpoint_id") : undefined)}
            />
            <ActualModel
              target={target}
              onChange={(actual_model) => replace(index, { actual_model })}
              error={error(`targets[${index}].actual_model`)}
            />
          </div>
          <Group gap={6} mt="xs">
            <ActionIcon
              variant="default"
              aria-label={`Move target ${index + 1} up`}
              disabled={index === 0}
              onClick={() => move(index, -1)}
            >
              <Icon name="up" size={16} />
            </ActionIcon>
            <ActionIcon
              variant="default"
              aria-label={`Move target ${index + 1} down`}
              disabled={index === targets.length - 1}
              onClick={() => move(index, 1)}
            >
              <Icon name="down" size={16} />
            </ActionIcon>
            <ActionIcon
              variant="default"
              aria-label={`Remove target ${index + 1}`}
              disabled={targets.length === 1}
              onClick={() => change(targets.filter((_, place) => place !== index))}
            >
              <Icon name="trash" size={16} />
            </ActionIcon>
          </Group>
        </fieldset>
      ))}
      <Group justify="space-between">
        <Button
          variant="default"
          size="xs"
          leftSection={<Icon name="add" size={14} />}
          onClick={() => change([...targets, { row: newRow(), endpoint_id: null, actual_model: "" }])}
        >
          Add a fallback
        </Button>
        {targets.length > 1 && (
          <Text size="xs" c="dimmed">
            Among them, an endpoint with a higher priority goes first; this order decides between equals.
          </Text>
        )}
      </Group>
    </Stack>
  );
}

interface ActualModelProps {
  target: TargetDraft;
  onChange: (name: string) => void;
  error: string | undefined;
}

function ActualModel({ target, onChange, error }: ActualModelProps) {
  const id = target.endpoint_id;
  const found = useQuery({
    queryKey: ["endpoints", id, "models"],
    enabled: id !== null,
    retry: false,
    staleTime: 60_000,
    queryFn: async ({ signal }) =>
      (await ask(api.GET("/api/admin/endpoints/{id}/models", { params: { path: { id: id ?? 0 } }, signal }))).models,
  });
  const hint =
    id === null
      ? "As the endpoint calls it"
      : found.isFetching
        ? "Asking the endpoint for its models …"
        : found.error
          ? `The endpoint does not tell its models (${asRefusal(found.error).message.slice(0, 140)}); write the name`
          : `The endpoint offers ${found.data?.length ?? 0}; any other name can be written too`;
  return (
    <Autocomplete
      label="Actual model"
      required
      description={hint}
      data={[...new Set(found.data ?? [])]}
      limit={50}
      maxDropdownHeight={280}
      value={target.actual_model}
      onChange={onChange}
      error={error}
      spellCheck={false}
    />
  );
}
