/** Deletes an endpoint, and says first which virtual models go with it or lose it. */
import { List, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { type Endpoint, virtualModelsQuery } from "../../api/queries";
import { Confirm } from "../../parts/Confirm";
import { useTell } from "../../parts/Notices";
import { plural } from "../../parts/formats";

interface Props {
  endpoint: Endpoint;
  onClose: () => void;
  onDeleted?: () => void;
}

export function DeleteEndpoint({ endpoint, onClose, onDeleted }: Props) {
  const queries = useQueryClient();
  const tell = useTell();
  const models = useQuery(virtualModelsQuery);
  const users = (models.data ?? []).filter((model) => model.targets.some((each) => each.endpoint_id === endpoint.id));
  const leads = (id: number) => id === endpoint.id;
  const die = users.filter((model) => model.targets.every((each) => leads(each.endpoint_id)));
  const lose = users.filter((model) => !die.includes(model));
  const destroy = useMutation({
    mutationFn: () =>
      ask(
        api.DELETE("/api/admin/endpoints/{id}", {
          params: { path: { id: endpoint.id }, query: { cascade: users.length > 0 } },
        }),
      ),
    onSuccess: async () => {
      tell.done(`${endpoint.name} is deleted.`);
      onClose();
      onDeleted?.();
      await Promise.all(
        ["endpoints", "virtual-models", "health"].map((key) => queries.invalidateQueries({ queryKey: [key] })),
      );
    },
    // somebody may have given it to another model meanwhile
    onError: () => queries.invalidateQueries({ queryKey: ["virtual-models"] }),
  });
  return (
    <Confirm
      opened
      title={`Delete the endpoint ${endpoint.name}?`}
      verb={die.length > 0 ? `Delete it and ${plural(die.length, "virtual model")}` : "Delete endpoint"}
      busy={destroy.isPending || models.isPending}
      error={destroy.error ?? models.error}
      onConfirm={() => destroy.mutate()}
      onClose={onClose}
    >
      <Stack gap="sm">
        <Text size="sm">Its address and its key are gone for good. What it did stays in the activity.</Text>
        {die.length > 0 && <Named title="Deleted with it, for they lead nowhere else:" names={die.map((m) => m.name)} />}
        {lose.length > 0 && <Named title="They lose it and keep their other targets:" names={lose.map((m) => m.name)} />}
        {models.isSuccess && users.length === 0 && <Text size="sm">No virtual model uses it.</Text>}
      </Stack>
    </Confirm>
  );
}

function Named({ title, names }: { title: string; names: string[] }) {
  return (
    <div>
      <Text size="sm">{title}</Text>
      <List size="sm">
        {names.map((name) => (
          <List.Item key={name}>
            <strong>{name}</strong>
          </List.Item>
        ))}
      </List>
    </div>
  );
}
