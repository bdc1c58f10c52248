import { call, type Listed } from "../../api.ts";
import { pageUrl, useQuery } from "../../parts/address.ts";
import { Loaded, Section, TableHead } from "../../parts/frame.tsx";
import { LogDialog } from "../../parts/log.tsx";
import { Status } from "../../parts/status.tsx";
import { duration, Time } from "../../parts/text.tsx";
import { TimelineDialog } from "../../parts/timeline.tsx";
import { useResource } from "../../resource.ts";

const HISTORY = "/api/management/v1/deployments/deployments/devices/{device}";

type Past = Listed<typeof HISTORY>;

function timeOf(text: string | undefined): number | undefined {
  return text === undefined || Number.isNaN(Date.parse(text)) ? undefined : Date.parse(text);
}

function PastRow({
  past,
  showLog,
  showTimeline,
}: {
  readonly past: Past;
  readonly showLog: () => void;
  readonly showTimeline: () => void;
}) {
  const { deployment, device } = past;
  const [started, finished] = [timeOf(device.started), timeOf(device.finished)];
  return (
    <tr>
      <td>
        <a href={pageUrl(`/deployments/${deployment.id}`)}>{deployment.name}</a>{" "}
        <span class="hint">{deployment.artifact_name}</span>
      </td>
      <td>
        <Status of={device.status} />
        {device.substate !== undefined && <div class="hint">{device.substate}</div>}
      </td>
      <td>
        <Time at={device.started ?? device.created} />
      </td>
      <td>{started !== undefined && finished !== undefined ? duration(finished - started) : ""}</td>
      <td class="actions">
        <button type="button" onClick={showTimeline}>
          Timeline
        </button>
        {device.log && (
          <button type="button" onClick={showLog}>
            Log
          </button>
        )}
      </td>
    </tr>
  );
}

/** What the device has made of deployments. */
export function History({ id }: { readonly id: string }) {
  const { query, change } = useQuery(`/devices/${id}`);
  const shown = useResource(
    id,
    async (signal) => (await call("get", HISTORY, { params: { device: id }, query: { per_page: 20 }, signal })).data,
    ["device_deployment", "deployment_log"],
  );
  return (
    <Section title="Deployments">
      <Loaded from={shown}>
        {(list) =>
          list.length === 0 ? (
            <p class="hint">None yet.</p>
          ) : (
            <table>
              <TableHead titles={["Deployment", "Status", "Began", "Took"]} actions="Timeline and log" />
              <tbody>
                {list.map((past) => (
                  <PastRow
                    key={past.id}
                    past={past}
                    showLog={() => change({ log: past.deployment.id }, false)}
                    showTimeline={() => change({ timeline: past.deployment.id }, false)}
                  />
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
      {query.timeline !== undefined && (
        <TimelineDialog
          deployment={query.timeline}
          device={id}
          onClose={() => change({ timeline: undefined }, false)}
        />
      )}
      {query.log !== undefined && (
        <LogDialog deployment={query.log} device={id} onClose={() => change({ log: undefined }, false)} />
      )}
    </Section>
  );
}
