import type { Shown } from "../api.ts";
import { pageUrl } from "./address.ts";
import { TableHead } from "./frame.tsx";
import { plural } from "./text.tsx";

type Failures = Shown<"/api/management/v1/deployments/failures">;

/** How many are named of each reason. */
const NAMED = 3;

/** Why devices failed, the most frequent reason first. Each leads to the log of the last ones. */
export function FailureList({ failures }: { readonly failures: Failures }) {
  if (failures.length === 0) return <p class="hint">Nothing has failed.</p>;
  return (
    <table>
      <TableHead titles={["Reason", "Devices", "The last ones"]} />
      <tbody>
        {failures.map(({ reason, count, devices }) => (
          <tr key={reason ?? ""}>
            <td class="value">{reason ?? <span class="none">no reason was told</span>}</td>
            <td class="short">{plural(count, "device")}</td>
            <td>
              {devices.slice(0, NAMED).map(({ id, deployment_id }, index) => (
                <span key={id}>
                  {index > 0 && ", "}
                  <a href={pageUrl(`/deployments/${deployment_id}`, { log: id })}>log {index + 1}</a>
                </span>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
