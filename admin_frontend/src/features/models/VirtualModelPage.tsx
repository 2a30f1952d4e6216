/** One virtual model, new or stored: its form and the history of its prices. */
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { api, ask } from "../../api/client";
import { type Endpoint, type VirtualModel, endpointsQuery, oneOf } from "../../api/queries";
import { Awaited } from "../../parts/Awaited";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { Empty } from "../../parts/States";
import { Changing, LookOnly } from "../../signin/rights";
import { DeleteVirtualModel } from "./DeleteVirtualModel";
import { PriceHistory } from "./PriceHistory";
import { VirtualModelForm } from "./VirtualModelForm";

const BACK = { to: "/virtual-models", label: "Virtual models" };

export function VirtualModelPage() {
  const { id = "" } = useParams();
  return id === "new" ? <New /> : <Stored key={id} id={Number(id) || 0} />;
}

function New() {
  const [asked] = useSearchParams();
  const endpoints = useQuery(endpointsQuery);
  return (
    <Awaited query={endpoints} title="New virtual model" back={BACK}>
      {(rows) => (
        <Page title="New virtual model" back={BACK} lead="A name for clients, and the model that answers to it.">
          <Changing instead={<LookOnly />}>
            {rows.length === 0 ? (
              <Empty
                icon="endpoints"
                title="First an endpoint"
                action={
                  <Button component={Link} to="/endpoints/new">
                    Add endpoint
                  </Button>
                }
              >
                A virtual model leads to a model of an endpoint, and there is none yet.
              </Empty>
            ) : (
              <VirtualModelForm
                stored={undefined}
                endpoints={rows}
                start={{ endpoint: Number(asked.get("endpoint")) || undefined, model: asked.get("model") ?? undefined }}
              />
            )}
          </Changing>
        </Page>
      )}
    </Awaited>
  );
}

function Stored({ id }: { id: number }) {
  const endpoints = useQuery(endpointsQuery);
  const model = useQuery(
    oneOf("virtual-models", String(id), ({ signal }) =>
      ask(api.GET("/api/admin/virtual-models/{id}", { params: { path: { id } }, signal })),
    ),
  );
  return (
    <Awaited query={endpoints} title="Virtual model" back={BACK}>
      {(rows) => (
        <Awaited query={model} title="Virtual model" back={BACK}>
          {(row) => <One model={row} endpoints={rows} />}
        </Awaited>
      )}
    </Awaited>
  );
}

function One({ model, endpoints }: { model: VirtualModel; endpoints: readonly Endpoint[] }) {
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState(false);
  return (
    <Page
      title={model.name}
      back={BACK}
      actions={
        <>
          <Button
            component={Link}
            to={`/playground?model=${encodeURIComponent(model.name)}`}
            variant="default"
            leftSection={<Icon name="playground" size={16} />}
          >
            Try it
          </Button>
          <Changing>
            <Button variant="default" leftSection={<Icon name="trash" size={16} />} onClick={() => setDoomed(true)}>
              Delete
            </Button>
          </Changing>
        </>
      }
    >
      <VirtualModelForm stored={model} endpoints={endpoints} />
      <PriceHistory id={model.id} version={model.version} />
      {doomed && (
        <DeleteVirtualModel
          model={model}
          onClose={() => setDoomed(false)}
          onDone={() => navigate("/virtual-models")}
        />
      )}
    </Page>
  );
}
