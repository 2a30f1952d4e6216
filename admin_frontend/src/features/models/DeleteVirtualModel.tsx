import { api, ask } from "../../api/client";
import type { VirtualModel } from "../../api/queries";
import { Delete } from "../../parts/Delete";

interface Props {
  model: VirtualModel;
  onClose: () => void;
  onDone?: () => void;
}

export function DeleteVirtualModel({ model, onClose, onDone }: Props) {
  return (
    <Delete
      what={`the virtual model ${model.name}`}
      destroy={() => ask(api.DELETE("/api/admin/virtual-models/{id}", { params: { path: { id: model.id } } }))}
      stale={["virtual-models"]}
      onClose={onClose}
      onDone={onDone}
    >
      Clients that ask for <strong>{model.name}</strong> get an error from then on. Its endpoint and its usage so far
      stay.
    </Delete>
  );
}
