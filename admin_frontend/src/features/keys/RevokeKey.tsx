import { api, ask } from "../../api/client";
import type { ApiKey } from "../../api/queries";
import { Delete } from "../../parts/Delete";

interface Props {
  apiKey: ApiKey;
  onClose: () => void;
  onDone?: () => void;
}

export function RevokeKey({ apiKey, onClose, onDone }: Props) {
  return (
    <Delete
      what={`the key ${apiKey.label}`}
      verb="Revoke"
      done="revoked"
      destroy={() => ask(api.DELETE("/api/admin/api-keys/{id}", { params: { path: { id: apiKey.id } } }))}
      stale={["api-keys"]}
      onClose={onClose}
      onDone={onDone}
    >
      Clients that use <strong>{apiKey.label}</strong> are refused from then on, for ever. To shut it for a while, disable
      it instead.
    </Delete>
  );
}
