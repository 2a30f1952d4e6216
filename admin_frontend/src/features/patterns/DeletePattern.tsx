import { api, ask } from "../../api/client";
import type { ToolPattern } from "../../api/queries";
import { Delete } from "../../parts/Delete";

interface Props {
  pattern: ToolPattern;
  onClose: () => void;
  onDone?: () => void;
}

export function DeletePattern({ pattern, onClose, onDone }: Props) {
  return (
    <Delete
      what={`the pattern ${pattern.pattern_name}`}
      destroy={() => ask(api.DELETE("/api/admin/tool-patterns/{id}", { params: { path: { id: String(pattern.id) } } }))}
      stale={["tool-patterns"]}
      onClose={onClose}
      onDone={onDone}
    >
      Calls that only <strong>{pattern.pattern_name}</strong> finds stay text from then on. To keep it for later, disable
      it instead.
    </Delete>
  );
}
