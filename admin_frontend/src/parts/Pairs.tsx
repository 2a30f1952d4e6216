/** Pairs of names, as rows: mappings of tool and parameter names. */
import { ActionIcon, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { Icon } from "./Icon";

export type Pair = [from: string, to: string];

interface Props {
  label: string;
  help: string;
  from: string;
  to: string;
  pairs: Pair[];
  change: (pairs: Pair[]) => void;
  error?: string;
}

export function Pairs({ label, help, from, to, pairs, change, error }: Props) {
  const replace = (index: number, pair: Pair) => change(pairs.map((each, place) => (place === index ? pair : each)));
  return (
    <Stack gap={6}>
      <Text size="sm" fw={500}>
        {label}
      </Text>
      {pairs.map(([a, b], index) => (
        <Group key={index} gap="xs" wrap="nowrap">
          <TextInput
            aria-label={`${label}: ${from} ${index + 1}`}
            placeholder={from}
            value={a}
            onChange={(event) => replace(index, [event.currentTarget.value, b])}
            flex={1}
          />
          <span aria-hidden="true">→</span>
          <TextInput
            aria-label={`${label}: ${to} ${index + 1}`}
            placeholder={to}
            value={b}
            onChange={(event) => replace(index, [a, event.currentTarget.value])}
            flex={1}
          />
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={`${label}: remove row ${index + 1}`}
            onClick={() => change(pairs.filter((_, place) => place !== index))}
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
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Button
          variant="default"
          size="xs"
          leftSection={<Icon name="add" size={14} />}
          onClick={() => change([...pairs, ["", ""]])}
        >
          Add a row
        </Button>
        <Text size="xs" c="dimmed">
          {help}
        </Text>
      </Group>
    </Stack>
  );
}
