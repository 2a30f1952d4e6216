/** Headers that go to the backend with every request; values of secret ones are never read back. */
import { ActionIcon, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { Icon } from "../../parts/Icon";
import { type HeaderDraft, newRow } from "./values";

interface Props {
  headers: HeaderDraft[];
  change: (headers: HeaderDraft[]) => void;
  error: string | undefined;
}

export function Headers({ headers, change, error }: Props) {
  const replace = (index: number, part: Partial<HeaderDraft>) =>
    change(headers.map((each, place) => (place === index ? { ...each, ...part } : each)));
  return (
    <Stack gap="xs">
      <Text size="sm" fw={500}>
        Custom headers
      </Text>
      {headers.map((each, index) => (
        <Group key={each.row} gap="xs" wrap="nowrap">
          <TextInput
            aria-label={`Name of header ${index + 1}`}
            placeholder="X-Name"
            value={each.name}
            onChange={(event) => replace(index, { name: event.currentTarget.value })}
            flex={1}
          />
          <TextInput
            aria-label={`Value of header ${index + 1}`}
            placeholder="value"
            value={each.value}
            onChange={(event) => replace(index, { value: event.currentTarget.value })}
            flex={2}
            autoComplete="off"
          />
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={`Remove header ${index + 1}`}
            onClick={() => change(headers.filter((_, place) => place !== index))}
          >
            <Icon name="trash" size={16} />
          </ActionIcon>
        </Group>
      ))}
      {error && (
        <Text size="sm" c="red" role="alert">
          {error}
        </Text>
      )}
      <Group justify="space-between">
        <Button
          variant="default"
          size="xs"
          leftSection={<Icon name="add" size={14} />}
          onClick={() => change([...headers, { row: newRow(), name: "", value: "" }])}
        >
          Add a header
        </Button>
        <Text size="xs" c="dimmed">
          Values of names like Authorization or X-Api-Key are stored encrypted and shown as ********.
        </Text>
      </Group>
    </Stack>
  );
}
