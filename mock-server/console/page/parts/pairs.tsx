import { useSignal } from "@preact/signals";
import { reasonOf } from "../api.ts";
import { Dialog, Fault } from "./frame.tsx";
import { valueText } from "./text.tsx";

/** `name=value` lines. @throws Error naming the line that is none. */
function parsePairs(text: string): Readonly<Record<string, string>> {
  const lines = text.split("\n").map((line) => line.trim());
  return Object.fromEntries(
    lines
      .filter((line) => line !== "")
      .map((line) => {
        const equals = line.indexOf("=");
        if (equals < 1) throw new Error(`"${line}" is not of the form name=value`);
        return [line.slice(0, equals).trim(), line.slice(equals + 1).trim()];
      }),
  );
}

function pairsText(pairs: Readonly<Record<string, unknown>>): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join("\n");
}

/** Edits `name=value` lines. */
export function PairsDialog({
  title,
  hint,
  pairs,
  onClose,
  save,
}: {
  readonly title: string;
  readonly hint: string;
  readonly pairs: Readonly<Record<string, unknown>>;
  readonly onClose: () => void;
  readonly save: (pairs: Readonly<Record<string, string>>) => Promise<void>;
}) {
  const text = useSignal(pairsText(pairs));
  const fault = useSignal("");
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    try {
      await save(parsePairs(text.value));
      onClose();
    } catch (error) {
      fault.value = reasonOf(error);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          One line each: name=value
          <textarea
            rows={8}
            value={text}
            onInput={({ currentTarget }) => {
              text.value = currentTarget.value;
            }}
          />
        </label>
        <p class="hint">{hint}</p>
        <Fault text={fault.value} />
        <div class="actions">
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
