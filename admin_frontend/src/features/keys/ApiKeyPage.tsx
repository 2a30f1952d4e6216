/** One client key, new or stored: its limits, its use, its rotation. */
import { Alert, Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { api, ask } from "../../api/client";
import { type ApiKey, oneOf } from "../../api/queries";
import { Awaited } from "../../parts/Awaited";
import { Icon } from "../../parts/Icon";
import { Page } from "../../parts/Page";
import { dateTime } from "../../parts/formats";
import { Changing, LookOnly } from "../../signin/rights";
import { ApiKeyForm } from "./ApiKeyForm";
import { KeyUse } from "./KeyUse";
import { RevokeKey } from "./RevokeKey";
import { Rotate } from "./Rotate";
import { ShownKey } from "./ShownKey";

const BACK = { to: "/api-keys", label: "API keys" };

export function ApiKeyPage() {
  const { id = "" } = useParams();
  const navigate = useNavigate();
  // the key itself is in this page's memory and nowhere else: not in the history, not in the cache
  const [shown, setShown] = useState<{ id: string; text: string; verb: string }>();
  if (id === "new") {
    return (
      <Page title="New API key" back={BACK} lead="The key itself is shown once, after this.">
        <Changing instead={<LookOnly />}>
          <ApiKeyForm
            stored={undefined}
            onMade={(made) => {
              setShown({ id: made.id, text: made.api_key, verb: "made" });
              navigate(`/api-keys/${made.id}`, { replace: true });
            }}
          />
        </Changing>
      </Page>
    );
  }
  return (
    <Stored
      key={id}
      id={id}
      shown={shown?.id === id ? shown : undefined}
      onRotated={(text) => setShown({ id, text, verb: "rotated" })}
    />
  );
}

interface StoredProps {
  id: string;
  shown: { text: string; verb: string } | undefined;
  onRotated: (text: string) => void;
}

function Stored({ id, shown, onRotated }: StoredProps) {
  const key = useQuery(
    oneOf("api-keys", id, ({ signal }) => ask(api.GET("/api/admin/api-keys/{id}", { params: { path: { id } }, signal }))),
  );
  return (
    <Awaited query={key} title="API key" back={BACK}>
      {(row) => <One row={row} shown={shown} onRotated={onRotated} />}
    </Awaited>
  );
}

function One({ row, shown, onRotated }: Omit<StoredProps, "id"> & { row: ApiKey }) {
  const navigate = useNavigate();
  const [doomed, setDoomed] = useState(false);
  const revoked = row.revoked_at !== null;
  return (
    <Page
      title={row.label}
      back={BACK}
      lead={
        <>
          Begins with <span className="mono">{row.key_prefix}</span>, made on {dateTime(row.created_at)}
        </>
      }
      actions={
        !revoked && (
          <Changing>
            <Rotate apiKey={row} onRotated={onRotated} />
            <Button variant="default" leftSection={<Icon name="trash" size={16} />} onClick={() => setDoomed(true)}>
              Revoke
            </Button>
          </Changing>
        )
      }
    >
      {shown && <ShownKey text={shown.text} verb={shown.verb} />}
      {row.previous_key_until !== null && row.previous_key_until > Date.now() / 1_000 && (
        <Alert color="yellow">The secret before the last rotation opens until {dateTime(row.previous_key_until)}.</Alert>
      )}
      {revoked ? (
        <Alert color="red">
          This key was revoked on {dateTime(row.revoked_at ?? 0)}. It opens nothing any more; its usage stays.
        </Alert>
      ) : (
        <>
          <KeyUse apiKey={row} />
          <ApiKeyForm stored={row} />
        </>
      )}
      {doomed && <RevokeKey apiKey={row} onClose={() => setDoomed(false)} onDone={() => navigate("/api-keys")} />}
    </Page>
  );
}
