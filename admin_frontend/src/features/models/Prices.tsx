/** Prices in dollars per million tokens, with what the model's provider publishes to choose from. */
import { Alert, Anchor, Button, Group, NumberInput, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type Schemas, api, ask, asRefusal } from "../../api/client";
import type { Amount } from "../../parts/amounts";
import { dollars } from "../../parts/formats";
import { PRICES, type PriceField } from "./values";

interface Props {
  prices: Record<PriceField, Amount>;
  change: (prices: Record<PriceField, Amount>) => void;
  error: (field: string) => string | undefined;
  /** Whose published prices are proposed. */
  model: string;
}

export function Prices({ prices, change, error, model }: Props) {
  const proposals = useMutation({
    mutationFn: () => ask(api.GET("/api/admin/price-proposals", { params: { query: { model } } })),
  });
  const take = (proposal: Schemas["PriceProposal"]) =>
    change(
      Object.fromEntries(
        PRICES.map(([field]) => [field, (field in proposal ? proposal[field as keyof typeof proposal] : null) ?? ""]),
      ) as Record<PriceField, Amount>,
    );
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        What a request costs is counted with these. An empty one is the input price; with all of them empty, costs are
        not counted. 0 is a price: for nothing.
      </Text>
      <div className="two">
        {PRICES.map(([field, label]) => (
          <NumberInput
            key={field}
            label={label}
            min={0}
            decimalScale={12}
            prefix="$"
            value={prices[field]}
            onChange={(value) => change({ ...prices, [field]: value })}
            error={error(field)}
            hideControls
          />
        ))}
      </div>
      <Group>
        <Button
          variant="default"
          size="xs"
          disabled={!model.trim()}
          loading={proposals.isPending}
          onClick={() => proposals.mutate()}
        >
          Propose prices of {model.trim() || "the model"}
        </Button>
      </Group>
      <div role="status">
        {proposals.error && <Text c="red">{asRefusal(proposals.error).message}</Text>}
        {proposals.data?.items.length === 0 && (
          <Text size="sm" c="dimmed">
            No published prices are known for this model.
          </Text>
        )}
        {proposals.data?.items.map((each) => (
          <Alert key={`${each.provider} ${each.model}`} variant="default" title={`${each.model} at ${each.provider}`} mb="xs">
            <Text size="sm">
              {PRICES.filter(([field]) => field in each)
                .map(([field, label]) => [label, each[field as keyof typeof each] as number | null] as const)
                .filter(([, price]) => price !== null)
                .map(([label, price]) => `${label} ${dollars(price)}`)
                .join(" · ")}
            </Text>
            {each.note && <Text size="sm">{each.note}</Text>}
            <Group mt="xs" justify="space-between">
              <Button size="xs" onClick={() => take(each)}>
                Use these
              </Button>
              <Text size="xs" c="dimmed">
                <Anchor href={each.source} target="_blank" rel="noreferrer" size="xs">
                  Published
                </Anchor>
                , seen on {each.as_of}
              </Text>
            </Group>
          </Alert>
        ))}
      </div>
    </Stack>
  );
}
