/** One endpoint, new or stored: its form, its test, its models. */
import { Alert, Button, Paper, Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useNavigate, useParams } from "react-router";
import { api, ask } from "../../api/client";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { Failed, Loading } from "../../parts/States";
import { DeleteEndpoint } from "./DeleteEndpoint";
import { Discovery } from "./Discovery";
import { EndpointForm } from "./EndpointForm";

const BACK = { to: "/endpoints", label: "Endpoints" };

export function EndpointPage() {
  const { id = "" } = useParams();
  return id === "new" ? (
    <Page title="New endpoint" back={BACK} lead="A backend with its address and key. After saving it can be tested.">
      <EndpointForm stored={undefined} />
    </Page>
  ) : (
    <Stored key={id} id={Number(id) || 0} />
  );
}

function Stored({ id }: { id: number }) {
  const navigate = useNavigate();
  const { state } = useLocation() as { state: { made?: boolean } | null };
  const [doomed, setDoomed] = useState(false);
  const endpoint = useQuery({
    queryKey: ["endpoints", id],
    queryFn: ({ signal }) => ask(api.GET("/api/admin/endpoints/{id}", { params: { path: { id } }, signal })),
    staleTime: Number.POSITIVE_INFINITY, // a form is not changed under somebody's hands; saving finds conflicts
    gcTime: 0,
  });
  if (endpoint.error) {
    return (
      <Page title="Endpoint" back={BACK}>
        <Failed error={endpoint.error} retry={() => void endpoint.refetch()} />
      </Page>
    );
  }
  if (!endpoint.data) {
    return (
      <Page title="Endpoint" back={BACK}>
        <Loading />
      </Page>
    );
  }
  return (
    <Page
      title={endpoint.data.name}
      back={BACK}
      actions={
        <Button
          variant="default"
          leftSection={<Icon name="trash" size={16} />}
          onClick={() => setDoomed(true)}
        >
          Delete
        </Button>
      }
    >
      {state?.made && (
        <Alert color="teal" title="The endpoint is stored">
          Test the connection, ask for its models, and make one of them a virtual model that clients can ask for.{" "}
          <Link to={`/virtual-models/new?endpoint=${id}`}>Make a virtual model</Link>
        </Alert>
      )}
      <EndpointForm stored={endpoint.data} />
      <Paper withBorder p="lg">
        <Stack>
          <Title order={2} size="h4">
            Models
          </Title>
          <Discovery id={id} />
        </Stack>
      </Paper>
      {doomed && (
        <DeleteEndpoint
          endpoint={endpoint.data}
          onClose={() => setDoomed(false)}
          onDeleted={() => navigate("/endpoints")}
        />
      )}
    </Page>
  );
}
