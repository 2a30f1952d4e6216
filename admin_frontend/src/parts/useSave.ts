/** Saves what somebody writes: the server's words come beside the fields, a conflict is theirs to decide. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type Refusal, asRefusal } from "../api/client";
import { useTell } from "./Notices";
import { type Draft, useDraft } from "./useDraft";

export interface Saving<Values extends object> {
  draft: Draft<Values>;
  busy: boolean;
  refusal: Refusal | null;
  save: () => void;
  /** Somebody else was faster: take what is stored, or save over it. */
  conflict?: { takeTheirs: () => void; overwrite: () => void };
}

interface Versioned {
  id?: number | string;
  version?: number;
}

interface Form<Values extends object, Stored extends Versioned, Saved extends Stored> {
  stored: Stored | undefined;
  valuesOf: (stored: Stored | undefined) => Values;
  send: (values: Values, version: number | undefined) => Promise<Saved>;
  /** The key of the list; that of one thing in it ends with its id. */
  list: string;
  /** What is held for the pages; by default all of it. */
  kept?: (saved: Saved) => Stored | undefined;
  /** What is told when it is saved. */
  told: (saved: Saved) => string | undefined;
  onSaved?: (saved: Saved) => void;
}

export function useSave<Values extends object, Stored extends Versioned, Saved extends Stored>(
  form: Form<Values, Stored, Saved>,
): Saving<Values> {
  const { stored, valuesOf, send, list, kept = (saved) => saved, told, onSaved } = form;
  const queries = useQueryClient();
  const tell = useTell();
  const draft = useDraft<Values>(() => valuesOf(stored));
  const keep = (one: Stored) => queries.setQueryData(one.id === undefined ? [list] : [list, String(one.id)], one);
  const mutation = useMutation<Saved, Refusal, number | undefined>({
    mutationFn: async (version) => {
      try {
        return await send(draft.values, version);
      } catch (failure) {
        throw asRefusal(failure);
      }
    },
    onMutate: () => draft.blame(undefined),
    onError: draft.blame,
    onSuccess: async (saved) => {
      draft.reset(valuesOf(saved));
      const held = kept(saved);
      if (held) keep(held);
      if (saved.id !== undefined) await queries.invalidateQueries({ queryKey: [list], exact: true });
      const words = told(saved);
      if (words) tell.done(words);
      onSaved?.(saved);
    },
  });
  const theirs = mutation.error?.status === 409 ? (mutation.error.body.current as Stored | undefined) : undefined;
  return {
    draft,
    busy: mutation.isPending,
    refusal: mutation.error,
    save: () => mutation.mutate(stored?.version),
    conflict: theirs && {
      takeTheirs: () => {
        mutation.reset();
        draft.reset(valuesOf(theirs));
        keep(theirs);
      },
      overwrite: () => mutation.mutate(theirs.version),
    },
  };
}
