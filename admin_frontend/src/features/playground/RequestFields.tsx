/** What is asked beside the message: the model, its tools, the limits. */
import { Button, NumberInput, Paper, PasswordInput, Select, Stack, Switch, Textarea } from "@mantine/core";
import { type Asking, EXAMPLE_TOOLS, toolsOf } from "./request";

interface Props {
  names: string[];
  model: string;
  choose: (model: string) => void;
  request: Asking;
  change: (part: Partial<Asking>) => void;
}

export function RequestFields({ names, model, choose, request, change }: Props) {
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Select
          label="Virtual model"
          searchable
          allowDeselect={false}
          data={names.includes(model) ? names : [model, ...names]}
          value={model}
          onChange={(value) => value && choose(value)}
        />
        <Textarea
          label="System prompt"
          autosize
          minRows={1}
          maxRows={8}
          value={request.system}
          onChange={(event) => change({ system: event.currentTarget.value })}
        />
        <Textarea
          label="Tools"
          description="JSON, as in a request"
          autosize
          minRows={1}
          maxRows={14}
          value={request.tools}
          onChange={(event) => change({ tools: event.currentTarget.value })}
          error={toolsOf(request).wrong}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12 } }}
          spellCheck={false}
        />
        {!request.tools && (
          <Button size="compact-xs" variant="default" onClick={() => change({ tools: EXAMPLE_TOOLS })}>
            Use an example tool
          </Button>
        )}
        <div className="pair">
          <NumberInput
            label="Temperature"
            placeholder="Default"
            min={0}
            max={2}
            step={0.1}
            value={request.temperature}
            onChange={(value) => change({ temperature: value })}
          />
          <NumberInput
            label="Max tokens"
            placeholder="Default"
            min={1}
            allowDecimal={false}
            value={request.limit}
            onChange={(value) => change({ limit: value })}
          />
        </div>
        <Switch label="Stream" checked={request.stream} onChange={(event) => change({ stream: event.currentTarget.checked })} />
        <PasswordInput
          label="API key"
          description="Where clients need one; kept in this tab only"
          value={request.key}
          onChange={(event) => change({ key: event.currentTarget.value })}
          autoComplete="off"
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the key" }}
        />
      </Stack>
    </Paper>
  );
}
