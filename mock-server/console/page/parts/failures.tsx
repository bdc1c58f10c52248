import type { Shown } from "../api.ts";
import { pageUrl } from "./address.ts";
import { plural } from "./text.tsx";

type Failures = Shown<"/api/management/v1/deployments/failures">;

/** How many are named of each reason. */
const NAMED = 3;

/** Why devices failed, the most frequent reason first. Each leads to the log of the last ones. */
export function FailureList({ failures }: { readonly failures: Failures }) {
  if (failures.length === 0) return <p class="hint">Nothing has failed.</p>;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Reason</th>
          <th scope="col">Devices</th>
          <th scope="col">The last ones</th>
        </tr>
      </thead>
      <tbody>
        {failures.map(({ reason, count, devices }) => (
          <tr key={reason ?? ""}>
            <td class="value">{reason ?? <span class="none">no reason was told</span>}</td>
            <td>{plural(count, "device")}</td>
            <td>
              {devices.slice(0, NAMED).map(({ id, deployment_id }, index) => (
                <>
                  {index > 0 && ", "}
                  <a key={id} href={pageUrl(`/deployments/${deployment_id}`, { log: id })}>
                    log {index + 1}
                  </a>
                </>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
