import { call } from "../../api.ts";
import { DialogButton, Loaded, Section, TableHead } from "../../parts/frame.tsx";
import { PairsDialog } from "../../parts/pairs.tsx";
import { valueText } from "../../parts/text.tsx";
import { useResource } from "../../resource.ts";
import { mayWrite } from "../../session.tsx";

const CONFIGURATION = "/api/management/v1/deviceconfig/configurations/device/{id}";

/** What the device should be set to, and what it says it is. */
export function Configuration({ id }: { readonly id: string }) {
  const shown = useResource(id, async (signal) => (await call("get", CONFIGURATION, { params: { id }, signal })).data, [
    "configuration",
    "device_deployment",
  ]);
  const deploy = async (): Promise<void> => {
    await call("post", `${CONFIGURATION}/deploy`, { params: { id }, body: { retries: 0 } });
    shown.reload();
  };
  return (
    <Section
      title="Configuration"
      actions={
        mayWrite() && (
          <>
            <DialogButton label="Edit">
              {(close) => (
                <PairsDialog
                  title="Configuration"
                  hint="The device hears of it when it is sent."
                  pairs={shown.data?.configured ?? {}}
                  onClose={close}
                  save={async (pairs) => {
                    await call("put", CONFIGURATION, { params: { id }, body: pairs });
                    shown.reload();
                  }}
                />
              )}
            </DialogButton>
            <button type="button" onClick={() => void deploy()}>
              Send to the device
            </button>
          </>
        )
      }
    >
      <Loaded from={shown}>
        {({ configured, reported }) => (
          <>
            <table>
              <TableHead titles={["Name", "Wanted", "Reported by the device"]} />
              <tbody>
                {[...new Set([...Object.keys(configured), ...Object.keys(reported)])].sort().map((name) => (
                  <tr key={name}>
                    <td>{name}</td>
                    <td class="value">{valueText(configured[name] ?? "")}</td>
                    <td class="value">{valueText(reported[name] ?? "")}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {Object.keys(configured).length + Object.keys(reported).length === 0 && (
              <p class="hint">Nothing is configured.</p>
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}
