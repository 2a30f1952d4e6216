/** One virtual model, new or stored: its form and the history of its prices. */
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { api, ask } from "../../api/client";
import { endpointsQuery } from "../../api/queries";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { Empty, Failed, Loading } from "../../parts/States";
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
    <Page title="New virtual model" back={BACK} lead="A name for clients, and the model that answers to it.">
      {endpoints.error ? (
        <Failed error={endpoints.error} retry={() => void endpoints.refetch()} />
      ) : !endpoints.data ? (
        <Loading />
      ) : endpoints.data.length === 0 ? (
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
          endpoints={endpoints.data}
          start={{ endpoint: Number(asked.get("endpoint")) || undefined, model: asked.get("model") ?? undefined }}
        />
      )}
    </Page>
  );
}

function Stored({ id }: { id: number }) {
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState(false);
  const endpoints = useQuery(endpointsQuery);
  const model = useQuery({
    queryKey: ["virtual-models", id],
    queryFn: ({ signal }) => ask(api.GET("/api/admin/virtual-models/{id}", { params: { path: { id } }, signal })),
    staleTime: Number.POSITIVE_INFINITY, // a form is not changed under somebody's hands; saving finds conflicts
    gcTime: 0,
  });
  const error = model.error ?? endpoints.error;
  if (error) {
    return (
      <Page title="Virtual model" back={BACK}>
        <Failed
          error={error}
          retry={() => {
            void model.refetch();
            void endpoints.refetch();
          }}
        />
      </Page>
    );
  }
  if (!model.data || !endpoints.data) {
    return (
      <Page title="Virtual model" back={BACK}>
        <Loading />
      </Page>
    );
  }
  return (
    <Page
      title={model.data.name}
      back={BACK}
      actions={
        <>
          <Button
            component={Link}
            to={`/playground?model=${encodeURIComponent(model.data.name)}`}
            variant="default"
            leftSection={<Icon name="playground" size={16} />}
          >
            Try it
          </Button>
          <Button variant="default" leftSection={<Icon name="trash" size={16} />} onClick={() => setDoomed(true)}>
            Delete
          </Button>
        </>
      }
    >
      <VirtualModelForm stored={model.data} endpoints={endpoints.data} />
      <PriceHistory id={id} version={model.data.version} />
      {doomed && (
        <DeleteVirtualModel
          model={model.data}
          onClose={() => setDoomed(false)}
          onDone={() => navigate("/virtual-models")}
        />
      )}
    </Page>
  );
}
