import { call } from "../api.ts";
import { useResource } from "../resource.ts";
import { Dialog, Loaded, TableHead } from "./frame.tsx";
import { Status } from "./status.tsx";
import { duration, Time } from "./text.tsx";

const PATH = "/api/management/v1/deployments/deployments/{id}/devices/{device}/timeline";

/** When a device had which status in a deployment, and for how long. */
export function TimelineDialog({
  deployment,
  device,
  onClose,
}: {
  readonly deployment: string;
  readonly device: string;
  readonly onClose: () => void;
}) {
  const timeline = useResource(
    `${deployment} ${device}`,
    async (signal) => (await call("get", PATH, { params: { id: deployment, device }, signal })).data,
    ["device_deployment"],
  );
  return (
    <Dialog title="What happened when" onClose={onClose}>
      <Loaded from={timeline}>
        {({ states }) => (
          <table>
            <TableHead titles={["Status", "From", "For", "Attempt"]} />
            <tbody>
              {states.map(({ status, substate, started, seconds, attempt }) => (
                <tr key={`${started} ${status}`}>
                  <td>
                    <Status of={status} />
                    {substate !== undefined && <div class="hint">{substate}</div>}
                  </td>
                  <td>
                    <Time at={started} isExact />
                  </td>
                  <td>{seconds === undefined ? "" : duration(seconds * 1000)}</td>
                  <td>{attempt}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Loaded>
    </Dialog>
  );
}
