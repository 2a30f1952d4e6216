/** The last attempts that failed. */
import { Anchor, Paper, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, ask } from "../../api/client";
import { Failed, Loading } from "../../parts/States";
import { ago } from "../../parts/formats";

const MOST = 6;

export function Troubles() {
  const troubles = useQuery({
    queryKey: ["activity", "troubles"],
    refetchInterval: 15_000,
    queryFn: ({ signal }) =>
      ask(api.GET("/api/admin/activity", { params: { query: { outcome: "failed", limit: MOST } }, signal })),
  });
  if (troubles.error) return <Failed error={troubles.error} retry={() => void troubles.refetch()} />;
  if (!troubles.data) return <Loading rows={3} />;
  return (
    <Paper withBorder component="ul" className="rows" aria-label="Failed lately">
      {troubles.data.items.length === 0 && (
        <Text component="li" c="dimmed" size="sm">
          Nothing failed
        </Text>
      )}
      {troubles.data.items.map((each) => (
        <li key={each.id}>
          <span>
            <Anchor
              component={Link}
              to={`/activity/${encodeURIComponent(each.request_id)}?at=${Math.floor(each.created_at)}`}
              size="sm"
              fw={600}
            >
              {each.virtual_model}
            </Anchor>{" "}
            <Text component="span" size="sm" c="dimmed">
              at {each.endpoint_name}
            </Text>
          </span>
          <Text component="span" size="sm">
            <span className="mono">{each.error_code ?? each.status_code}</span>{" "}
            <Text component="span" size="xs" c="dimmed">
              {ago(each.created_at)}
            </Text>
          </Text>
        </li>
      ))}
    </Paper>
  );
}
