/** One endpoint, new or stored: its form, its test, its models. */
import { Alert, Button, Paper, Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useNavigate, useParams } from "react-router";
import { api, ask } from "../../api/client";
import { oneOf } from "../../api/queries";
import { Awaited } from "../../parts/Awaited";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { Changing, LookOnly } from "../../signin/rights";
import { DeleteEndpoint } from "./DeleteEndpoint";
import { Discovery } from "./Discovery";
import { EndpointForm } from "./EndpointForm";

const BACK = { to: "/endpoints", label: "Endpoints" };

export function EndpointPage() {
  const { id = "" } = useParams();
  return id === "new" ? (
    <Page title="New endpoint" back={BACK} lead="A backend with its address and key. After saving it can be tested.">
      <Changing instead={<LookOnly />}>
        <EndpointForm stored={undefined} />
      </Changing>
    </Page>
  ) : (
    <Stored key={id} id={Number(id) || 0} />
  );
}

function Stored({ id }: { id: number }) {
  const navigate = useNavigate();
  const { state } = useLocation() as { state: { made?: boolean } | null };
  const [doomed, setDoomed] = useState(false);
  const endpoint = useQuery(
    oneOf("endpoints", String(id), ({ signal }) =>
      ask(api.GET("/api/admin/endpoints/{id}", { params: { path: { id } }, signal })),
    ),
  );
  return (
    <Awaited query={endpoint} title="Endpoint" back={BACK}>
      {(row) => (
        <Page
          title={row.name}
          back={BACK}
          actions={
            <Changing>
              <Button variant="default" leftSection={<Icon name="trash" size={16} />} onClick={() => setDoomed(true)}>
                Delete
              </Button>
            </Changing>
          }
        >
          {state?.made && (
            <Alert color="teal" title="The endpoint is stored">
              Test the connection, ask for its models, and make one of them a virtual model that clients can ask for.{" "}
              <Link to={`/virtual-models/new?endpoint=${id}`}>Make a virtual model</Link>
            </Alert>
          )}
          <EndpointForm stored={row} />
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
              endpoint={row}
              onClose={() => setDoomed(false)}
              onDeleted={() => navigate("/endpoints")}
            />
          )}
        </Page>
      )}
    </Awaited>
  );
}
