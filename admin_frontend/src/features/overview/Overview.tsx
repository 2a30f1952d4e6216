/** The gateway at a glance: what was asked in the last day, how the endpoints are, what failed lately. */
import { Anchor, Group, SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { endpointsQuery, virtualModelsQuery } from "../../api/queries";
import { usageQuery } from "../../api/usage";
import { clientUrl } from "../../deployment";
import { CopyButton } from "../../parts/Copy";
import { Figure } from "../../parts/Figure";
import { Page } from "../../parts/Page";
import { Failed, Loading } from "../../parts/States";
import { count, glanceDollars, milliseconds, percent, shortCount } from "../../parts/formats";
import { useAddressState } from "../../parts/useAddressState";
import { useSession } from "../../signin/session";
import { Changing } from "../../signin/rights";
import { EndpointHealth } from "./EndpointHealth";
import { FirstSteps } from "./FirstSteps";
import { Troubles } from "./Troubles";

const DEFAULTS = { days: "1" };
const HALF_HOUR = 1_800;
const RANGES = [
  { value: "1", label: "24 hours" },
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
];

export function Overview() {
  const { deployment } = useSession();
  const [{ days }, change] = useAddressState(DEFAULTS);
  const [now] = useState(() => Date.now() / 1_000);
  const end_date = (Math.floor(now / HALF_HOUR) + 1) * HALF_HOUR;
  const usage = useQuery({
    ...usageQuery({ start_date: end_date - Number(days) * 86_400, end_date }),
    refetchInterval: 15_000,
  });
  const endpoints = useQuery(endpointsQuery);
  const models = useQuery(virtualModelsQuery);
  const url = clientUrl(deployment);
  const summary = usage.data?.summary;
  return (
    <Page
      title="Overview"
      lead={
        <>
          Clients call <span className="mono">{url}</span>
        </>
      }
      actions={<CopyButton text={url} label="Copy the URL" />}
    >
      {endpoints.data && models.data && usage.data && (
        <Changing>
          <FirstSteps endpoints={endpoints.data} models={models.data} />
        </Changing>
      )}
      <section aria-labelledby="at-a-glance">
        <Group justify="space-between" mb="sm">
          <Title order={2} size="h4" id="at-a-glance">
            At a glance
          </Title>
          <SegmentedControl
            aria-label="Range"
            size="xs"
            data={RANGES}
            value={days}
            onChange={(value) => change({ days: value })}
          />
        </Group>
        {usage.error ? (
          <Failed error={usage.error} retry={() => void usage.refetch()} />
        ) : !summary ? (
          <Loading rows={3} />
        ) : (
          <dl className="cards flat">
            <Figure
              label="Requests"
              value={shortCount(summary.client_request_count)}
              note={<Link to="/activity">See them</Link>}
            />
            <Figure
              label="Tokens"
              value={shortCount(summary.total_tokens)}
              note={`${shortCount(summary.total_prompt_tokens)} in, ${shortCount(summary.total_completion_tokens)} out`}
            />
            <Figure
              label="Cost"
              value={glanceDollars(summary.total_cost)}
              note={
                summary.unpriced_count > 0 ? (
                  `${count(summary.unpriced_count)} without prices`
                ) : (
                  <Link to="/usage">In detail</Link>
                )
              }
            />
            <Figure
              label="Failed attempts"
              value={percent(summary.error_rate)}
              note={`${count(summary.failed_count)} failed, ${count(summary.truncated_count)} broke off`}
            />
            <Figure
              label="First token after"
              value={milliseconds(summary.ttft_p50_ms)}
              note={`95 % within ${milliseconds(summary.ttft_p95_ms)}`}
            />
          </dl>
        )}
      </section>
      <div className="halves">
        <Stack gap="sm" component="section" aria-labelledby="health">
          <Title order={2} size="h4" id="health">
            Endpoints
          </Title>
          <EndpointHealth />
        </Stack>
        <Stack gap="sm" component="section" aria-labelledby="troubles">
          <Group justify="space-between">
            <Title order={2} size="h4" id="troubles">
              Failed lately
            </Title>
            <Anchor component={Link} to="/activity?status=failed" size="sm">
              All of them
            </Anchor>
          </Group>
          <Troubles />
        </Stack>
      </div>
      {models.data && (
        <Text size="sm" c="dimmed">
          {count(models.data.filter((each) => each.enabled).length)} of {count(models.data.length)} virtual models are
          enabled.
        </Text>
      )}
    </Page>
  );
}
