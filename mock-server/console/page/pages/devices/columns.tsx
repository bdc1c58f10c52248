import { useSignal } from "@preact/signals";
import { attribute, type Device } from "../../parts/devices.ts";
import { Dialog, Loaded } from "../../parts/frame.tsx";
import { Status } from "../../parts/status.tsx";
import { useAttributes } from "../../parts/terms.tsx";
import { Time, valueText } from "../../parts/text.tsx";

/** Columns with titles of their own, by what they show. */
const TITLES: Readonly<Record<string, string>> = {
  "identity/status": "Status",
  "inventory/device_type": "Type",
  "inventory/artifact_name": "Software",
  "system/group": "Group",
  last_contact: "Last contact",
};
const SEPARATOR = ",";

/** A column shows an attribute, `scope/name`, or when the device was last heard of. */
export type Column = string;

/** The columns that an address names; without any, the usual ones. */
export function columnsIn(text: string): readonly Column[] {
  return text === "" ? Object.keys(TITLES) : text.split(SEPARATOR);
}

export function titleOf(column: Column): string {
  return TITLES[column] ?? column.slice(column.indexOf("/") + 1);
}

/** What a column is sorted by; nothing if it cannot be. */
export function sortOf(column: Column): string | undefined {
  return column.includes("/") ? column : undefined;
}

export function Cell({ device, column }: { readonly device: Device; readonly column: Column }) {
  if (column === "last_contact") {
    return (
      <>
        <Time at={device.last_contact_ts} />
        {device.overdue === true && <span class="status bad"> overdue</span>}
      </>
    );
  }
  const slash = column.indexOf("/");
  const value = attribute(device, column.slice(0, slash), column.slice(slash + 1));
  if (column === "identity/status") return <Status of={String(value ?? "noauth")} />;
  if (value === undefined) return <span class="none">–</span>;
  return <span class="value">{valueText(value)}</span>;
}

/** Chooses the columns. */
export function ColumnsDialog({
  columns,
  choose,
  onClose,
}: {
  readonly columns: readonly Column[];
  /** Called with the text for the address. */
  readonly choose: (text: string) => void;
  readonly onClose: () => void;
}) {
  const attributes = useAttributes();
  const chosen = useSignal<ReadonlySet<Column>>(new Set(columns));
  const offered = (all: readonly { readonly scope: string; readonly name: string }[]): readonly Column[] => {
    const others = all.map(({ scope, name }) => `${scope}/${name}`).filter((column) => !column.includes(SEPARATOR));
    return [...new Set([...Object.keys(TITLES), ...columns, ...others])];
  };
  return (
    <Dialog title="Columns" onClose={onClose}>
      <Loaded from={attributes}>
        {(all) => (
          <div class="choices">
            {offered(all).map((column) => (
              <label key={column} class="choice">
                <input
                  type="checkbox"
                  checked={chosen.value.has(column)}
                  onChange={({ currentTarget }) => {
                    const others = [...chosen.value].filter((one) => one !== column);
                    chosen.value = new Set(currentTarget.checked ? [...others, column] : others);
                  }}
                />{" "}
                {titleOf(column)} {TITLES[column] === undefined && <span class="hint">{column.split("/")[0]}</span>}
              </label>
            ))}
          </div>
        )}
      </Loaded>
      <div class="actions">
        <button
          type="button"
          onClick={() => {
            choose("");
            onClose();
          }}
        >
          The usual ones
        </button>
        <button
          type="button"
          class="primary"
          disabled={chosen.value.size === 0}
          onClick={() => {
            choose([...chosen.value].join(SEPARATOR));
            onClose();
          }}
        >
          Show these
        </button>
      </div>
    </Dialog>
  );
}
