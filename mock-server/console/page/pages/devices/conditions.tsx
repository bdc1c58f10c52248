import { useSignal } from "@preact/signals";
import { Dialog, DialogButton, Loaded } from "../../parts/frame.tsx";
import { FIRST_TERM, isComplete, type Term, TermEditor, termText, useAttributes } from "../../parts/terms.tsx";

function NewCondition({ add, onClose }: { readonly add: (term: Term) => void; readonly onClose: () => void }) {
  const term = useSignal<Term>(FIRST_TERM);
  const names = useAttributes();
  return (
    <Dialog title="Add a condition" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add(term.value);
          onClose();
        }}
      >
        <Loaded from={names}>
          {(all) => (
            <TermEditor
              term={term.value}
              names={all}
              change={(part) => {
                term.value = { ...term.value, ...part };
              }}
            />
          )}
        </Loaded>
        <div class="actions">
          <button type="submit" class="primary" disabled={!isComplete(term.value)}>
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Conditions on attributes; all must be met. */
export function ConditionChips({
  terms,
  change,
}: {
  readonly terms: readonly Term[];
  readonly change: (terms: readonly Term[]) => void;
}) {
  return (
    <>
      {terms.map((term, index) => (
        <button
          key={index}
          type="button"
          class="chip"
          aria-label={`Remove the condition ${termText(term)}`}
          onClick={() => change(terms.filter((_, at) => at !== index))}
        >
          {termText(term)} <span aria-hidden="true">✕</span>
        </button>
      ))}
      <DialogButton label="Add a condition">
        {(close) => <NewCondition add={(term) => change([...terms, term])} onClose={close} />}
      </DialogButton>
    </>
  );
}
