/** How much of its limits a key has used just now. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, ask } from "../../api/client";
import type { ApiKey } from "../../api/queries";
import { Figure } from "../../parts/Figure";
import { Failed } from "../../parts/States";
import { ago, count, dollars, glanceDollars } from "../../parts/formats";

export function KeyUse({ apiKey }: { apiKey: ApiKey }) {
  const use = useQuery({
    queryKey: ["api-keys", apiKey.id, "use"],
    refetchInterval: 10_000,
    queryFn: ({ signal }) =>
      ask(api.GET("/api/admin/api-keys/{id}/use", { params: { path: { id: apiKey.id } }, signal })),
  });
  if (use.error) return <Failed error={use.error} retry={() => void use.refetch()} />;
  const { day_cost, month_cost, in_flight, requests_left, tokens_left } = use.data ?? {};
  const of = (limit: number | null) => (limit === null ? "no budget" : `of ${dollars(limit)}`);
  const left = (n: number | null | undefined, limit: number | null) =>
    limit === null ? "no limit" : `${n === null || n === undefined ? "–" : count(n)} left of ${count(limit)}`;
  return (
    <dl className="cards flat">
      <Figure label="Cost today (UTC)" value={glanceDollars(day_cost)} note={of(apiKey.daily_budget)} />
      <Figure label="Cost this month (UTC)" value={glanceDollars(month_cost)} note={of(apiKey.monthly_budget)} />
      <Figure
        label="Running now"
        value={in_flight === undefined ? "–" : count(in_flight)}
        note={apiKey.parallel_requests === null ? "no limit" : `of ${apiKey.parallel_requests} at once`}
      />
      <Figure
        label="This minute"
        value={requests_left === null || requests_left === undefined ? "–" : count(requests_left)}
        note={`requests: ${left(requests_left, apiKey.requests_per_minute)}; tokens: ${left(tokens_left, apiKey.tokens_per_minute)}`}
      />
      <Figure
        label="Last used"
        value={ago(apiKey.last_used_at)}
        note={<Link to={`/activity?key_id=${apiKey.id}`}>See its requests</Link>}
      />
    </dl>
  );
}
