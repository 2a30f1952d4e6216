/** One request with all its attempts. */
import { Paper, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { type Schemas, api, ask } from "../../api/client";
import { apiKeysQuery } from "../../api/queries";
import { Page } from "../../parts/Page";
import { Dot } from "../../parts/Seen";
import { Empty, Failed, Loading } from "../../parts/States";
import { count, dateTime, dollars, milliseconds, plural } from "../../parts/formats";
import { kindOf, nameOf } from "./outcome";

type Row = Schemas["Activity"];

const BACK = { to: "/activity", label: "Activity" };
const AROUND_SECONDS = 7_200; // attempts of one request lie close together, and the ledger is read by time

export function RequestPage() {
  const { id = "" } = useParams();
  const [params] = useSearchParams();
  const at = Number(params.get("at")) || 0;
  const around = at ? { since: String(at - AROUND_SECONDS), until: String(at + AROUND_SECONDS) } : {};
  const keys = useQuery(apiKeysQuery);
  const request = useQuery({
    queryKey: ["activity", "request", id, at],
    queryFn: ({ signal }) =>
      ask(api.GET("/api/admin/activity", { params: { query: { request_id: id, ...around } }, signal })),
  });
  const attempts = [...(request.data?.items ?? [])].sort((a, b) => a.attempt - b.attempt);
  const [first] = attempts;
  const last = attempts.at(-1);
  const keyLabel = keys.data?.find((each) => each.id === first?.key_id)?.label;
  return (
    <Page title="Request" back={BACK} lead={<span className="mono">{id}</span>}>
      {request.error ? (
        <Failed error={request.error} retry={() => void request.refetch()} />
      ) : !request.data ? (
        <Loading />
      ) : !first || !last ? (
        <Empty icon="activity" title="No such request">
          It is older than what the ledger keeps, or the link lacks its time.
        </Empty>
      ) : (
        <Stack>
          <Paper withBorder p="lg">
            <dl className="facts">
              <Fact name="Outcome">
                <Dot kind={kindOf(last.outcome)} text={`${nameOf(last.outcome)}, HTTP ${last.status_code}`} />
              </Fact>
              <Fact name="Time">{dateTime(first.created_at)}</Fact>
              <Fact name="Virtual model">{first.virtual_model}</Fact>
              <Fact name="Route">
                <span className="mono">{first.path ?? first.protocol}</span>, {first.stream ? "streamed" : "whole"}
              </Fact>
              <Fact name="Client">
                {[first.client_address, first.user_agent].filter(Boolean).join(" · ") || "unknown"}
              </Fact>
              <Fact name="Key">
                {first.key_id ? <Link to={`/api-keys/${first.key_id}`}>{keyLabel ?? first.key_id}</Link> : "none"}
              </Fact>
              <Fact name="Attempts">{count(attempts.length)}</Fact>
            </dl>
          </Paper>
          {attempts.map((each) => (
            <Attempt key={each.id} row={each} />
          ))}
          <Text size="xs" c="dimmed">
            Questions and answers are never stored.
          </Text>
        </Stack>
      )}
    </Page>
  );
}

const USAGE: Record<string, string> = {
  provider: "reported by the backend",
  estimated: "estimated: the backend reported none",
  partial: "a part's, since it broke off",
};

function Attempt({ row }: { row: Row }) {
  const charged = row.cost !== null;
  return (
    <Paper withBorder p="lg" component="section" aria-label={`Attempt ${row.attempt}`}>
      <Title order={2} size="h4" mb="sm">
        Attempt {row.attempt}: {row.endpoint_name} › <span className="mono">{row.actual_model}</span>
      </Title>
      <dl className="facts">
        <Fact name="Outcome">
          <Dot kind={kindOf(row.outcome)} text={nameOf(row.outcome)} />
          {row.error_code && <span className="mono"> {row.error_code}</span>}
        </Fact>
        <Fact name="First token after">{milliseconds(row.time_to_first_token_ms)}</Fact>
        <Fact name="Whole answer after">{milliseconds(row.response_time_ms)}</Fact>
        <Fact name="Input">
          {plural(row.input_tokens, "token")} {charged && `· ${dollars(row.input_cost)}`}
        </Fact>
        {row.cache_read_tokens > 0 && (
          <Fact name="Read from the cache">
            {plural(row.cache_read_tokens, "token")} {charged && `· ${dollars(row.cache_read_cost)}`}
          </Fact>
        )}
        {row.cache_write_5m_tokens + row.cache_write_1h_tokens > 0 && (
          <Fact name="Written to the cache">
            {plural(row.cache_write_5m_tokens + row.cache_write_1h_tokens, "token")}{" "}
            {charged && `· ${dollars(row.cache_write_cost)}`}
          </Fact>
        )}
        <Fact name="Output">
          {plural(row.output_tokens, "token")} {charged && `· ${dollars(row.output_cost)}`}
          {row.reasoning_tokens > 0 && `, ${count(row.reasoning_tokens)} of them thinking`}
        </Fact>
        <Fact name="Cost">{charged ? `$${row.cost}` : "not counted: the virtual model has no prices"}</Fact>
        {row.outcome !== "failed" && <Fact name="Tokens are">{USAGE[row.usage_source] ?? row.usage_source}</Fact>}
      </dl>
    </Paper>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
