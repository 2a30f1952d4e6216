/** How each endpoint was last seen. */
import { Anchor, Paper, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { endpointsQuery, healthQuery } from "../../api/queries";
import { Seen } from "../../parts/Seen";
import { Failed, Loading } from "../../parts/States";

export function EndpointHealth() {
  const endpoints = useQuery(endpointsQuery);
  const health = useQuery(healthQuery);
  const error = endpoints.error ?? health.error;
  if (error) {
    return (
      <Failed
        error={error}
        retry={() => {
          void endpoints.refetch();
          void health.refetch();
        }}
      />
    );
  }
  if (!endpoints.data || !health.data) return <Loading rows={3} />;
  const seen = new Map(health.data.endpoints.map((each) => [each.name, each]));
  return (
    <Paper withBorder component="ul" className="rows" aria-label="Endpoints">
      {endpoints.data.length === 0 && (
        <Text component="li" c="dimmed" size="sm">
          None yet
        </Text>
      )}
      {endpoints.data.map((each) => (
        <li key={each.id}>
          <Anchor component={Link} to={`/endpoints/${each.id}`} size="sm" fw={600}>
            {each.name}
          </Anchor>
          <Text component="span" size="sm">
            <Seen sighting={seen.get(each.name)} enabled={each.enabled} />
          </Text>
        </li>
      ))}
    </Paper>
  );
}
