/** The ledger's outcomes in people's words. */
const OUTCOMES: Record<string, { kind: "good" | "bad" | "none"; name: string }> = {
  success: { kind: "good", name: "Answered" },
  failed: { kind: "bad", name: "Failed" },
  truncated: { kind: "bad", name: "Broke off" },
  aborted: { kind: "none", name: "Client left" },
};

export const kindOf = (outcome: string) => OUTCOMES[outcome]?.kind ?? "none";
export const nameOf = (outcome: string) => OUTCOMES[outcome]?.name ?? outcome;
