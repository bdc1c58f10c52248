import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { reasonOf } from "../../api.ts";
import { Dialog, DialogButton, Fault, Loaded, Section, TableHead } from "../../parts/frame.tsx";
import { plural } from "../../parts/text.tsx";
import { useResource } from "../../resource.ts";
import { control, exampleOf, type OfferedFault, type SwitchedFault } from "./control.ts";

const LOOK_MS = 2000;

/** JSON, or a text that is none. */
function valueIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function NewFault({ onClose }: { readonly onClose: () => void }) {
  const catalogue = useResource("faults", (signal) =>
    control<readonly OfferedFault[]>("GET", "/faults/catalogue", undefined, signal),
  );
  const name = useSignal("");
  const value = useSignal("");
  const fault = useSignal("");
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const devices = String(form.get("devices"))
      .split(/[\s,]+/)
      .filter((one) => one !== "");
    const count = String(form.get("count"));
    try {
      await control("POST", "/faults", {
        [name.value]: valueIn(value.value),
        ...(devices.length === 0 ? {} : { devices }),
        ...(count === "" ? {} : { count: Number(count) }),
      });
      onClose();
    } catch (error) {
      fault.value = reasonOf(error);
    }
  };
  return (
    <Dialog title="Switch a fault on" onClose={onClose}>
      <form onSubmit={submit}>
        <Loaded from={catalogue}>
          {(offered) => {
            const chosen = offered.find((one) => one.name === name.value);
            return (
              <>
                <label>
                  Fault
                  <select
                    required
                    value={name}
                    onChange={({ currentTarget }) => {
                      name.value = currentTarget.value;
                      const schema = offered.find((one) => one.name === currentTarget.value)?.schema ?? {};
                      value.value = JSON.stringify(exampleOf(schema));
                    }}
                  >
                    <option value="">Choose a fault</option>
                    {offered.map((one) => (
                      <option key={one.name}>{one.name}</option>
                    ))}
                  </select>
                </label>
                {chosen !== undefined && (
                  <>
                    <p class="hint">{chosen.meaning}</p>
                    <label>
                      Value, as in scenario files (JSON or text)
                      <textarea
                        rows={3}
                        required
                        value={value}
                        onInput={({ currentTarget }) => {
                          value.value = currentTarget.value;
                        }}
                      />
                    </label>
                    <details>
                      <summary>Schema of the value</summary>
                      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by the keyboard */}
                      <pre tabIndex={0}>{JSON.stringify(chosen.schema, null, 2)}</pre>
                    </details>
                  </>
                )}
              </>
            );
          }}
        </Loaded>
        <label>
          Only these devices (ids or values of their identity); empty: all
          <input name="devices" />
        </label>
        <label>
          How often, for each device; empty: always
          <input name="count" type="number" min="1" />
        </label>
        <Fault text={fault.value} />
        <div class="actions">
          <button type="submit" class="primary">
            Switch on
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** The faults that happen to requests of devices. */
export function FaultsSection() {
  const faults = useResource("switched", (signal) =>
    control<readonly SwitchedFault[]>("GET", "/faults", undefined, signal),
  );
  useEffect(() => {
    const timer = setInterval(faults.reload, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const remove = async (path: string): Promise<void> => {
    await control("DELETE", path).catch(() => undefined);
    faults.reload();
  };
  return (
    <Section
      title="Faults"
      actions={
        <DialogButton label="Switch a fault on">
          {(close) => (
            <NewFault
              onClose={() => {
                close();
                faults.reload();
              }}
            />
          )}
        </DialogButton>
      }
    >
      <Loaded from={faults}>
        {(list) =>
          list.length === 0 ? (
            <p class="hint">None is on: requests of devices are answered as they should be.</p>
          ) : (
            <>
              <table>
                <TableHead titles={["Fault", "Happened"]} actions="Actions" />
                <tbody>
                  {list.map(({ id, fault, happened }) => (
                    <tr key={id}>
                      <td class="value">
                        <code>{JSON.stringify(fault)}</code>
                      </td>
                      <td>{plural(happened, "time")}</td>
                      <td class="actions">
                        <button type="button" onClick={() => void remove(`/faults/${id}`)}>
                          Switch off
                        </button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
              <button type="button" onClick={() => void remove("/faults")}>
                Switch all off
              </button>
            </>
          )
        }
      </Loaded>
    </Section>
  );
}
