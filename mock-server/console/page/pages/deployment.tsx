import { useSignal } from "@preact/signals";
import { useLocation, useRoute } from "preact-iso";
import { call, type Listed, type Shown } from "../api.ts";
import { pageUrl } from "../parts/address.ts";
import { deviceName } from "../parts/devices.ts";
import { FailureList } from "../parts/failures.tsx";
import { Ask, DialogButton, Loaded, Section, TableHead } from "../parts/frame.tsx";
import { List, ListChoice, useList } from "../parts/list.tsx";
import { LogDialog } from "../parts/log.tsx";
import { type Phase, PhaseAxis, PhaseTable } from "../parts/phases.tsx";
import { ProgressChart } from "../parts/progress-chart.tsx";
import { DEVICE_STATUSES, Status, StatusBar } from "../parts/status.tsx";
import { duration, plural, size, Time } from "../parts/text.tsx";
import { WaitingFor } from "../parts/waiting.tsx";
import { useResource } from "../resource.ts";
import { mayWrite } from "../session.tsx";

const PATH = "/api/management/v1/deployments/deployments/{id}";
const DEVICES = "/api/management/v1/deployments/deployments/{id}/devices/list";
type Deployment = Shown<typeof PATH>;
type DeviceRow = Listed<typeof DEVICES>;
type Change = "aborted" | "finished" | "paused" | "resumed";

const PER_PAGE = 50;

const CHANGES = {
  aborted: {
    action: "Abort",
    title: "Abort this deployment",
    text: "Devices that have not begun do not get it any more. Devices in the middle of it go back, as far as they can.",
  },
  finished: {
    action: "Finish",
    title: "Finish this deployment",
    text: "No further device begins. Those that are in the middle of it may end it.",
  },
  paused: { action: "Pause", title: "Pause this deployment", text: "No further device begins until it is resumed." },
  resumed: { action: "Resume", title: "Resume this deployment", text: "Devices may begin again." },
} as const;

/** What may be done with a deployment now. */
function changesFor({ status, paused, dynamic }: Deployment): readonly Change[] {
  if (status === "finished") return [];
  return [paused ? "resumed" : "paused", ...(dynamic ? (["finished"] as const) : []), "aborted"];
}

/** Deploys the release again to the devices that failed. */
function Retry({ deployment: { id, statistics } }: { readonly deployment: Deployment }) {
  const { route } = useLocation();
  const failed = statistics.status.failure ?? 0;
  if (failed === 0) return null;
  return (
    <DialogButton label="Retry the failed">
      {(close) => (
        <Ask
          title="Retry the devices that failed"
          text={`A new deployment of the same release to the ${plural(failed, "device")} that failed, without phases.`}
          action="Retry"
          onClose={close}
          run={async () => {
            const { location } = await call("post", `${PATH}/retry`, { params: { id } });
            route(pageUrl(`/deployments/${location.split("/").at(-1)}`));
          }}
        />
      )}
    </DialogButton>
  );
}

function Actions({ deployment }: { readonly deployment: Deployment }) {
  const asked = useSignal<Change | undefined>(undefined);
  if (!mayWrite()) return null;
  const change = asked.value;
  return (
    <>
      {changesFor(deployment).map((one) => (
        <button
          key={one}
          type="button"
          class={one === "aborted" ? "danger" : ""}
          onClick={() => {
            asked.value = one;
          }}
        >
          {CHANGES[one].action}
        </button>
      ))}
      <Retry deployment={deployment} />
      {change !== undefined && (
        <Ask
          {...CHANGES[change]}
          isDangerous={change === "aborted"}
          onClose={() => {
            asked.value = undefined;
          }}
          run={async () => {
            await call("put", `${PATH}/status`, { params: { id: deployment.id }, body: { status: change } });
          }}
        />
      )}
    </>
  );
}

function phasesOf({ phases = [], created }: Deployment): readonly Phase[] {
  const shares = phases.map(({ batch_size }) => batch_size);
  const given = shares.reduce<number>((sum, share) => sum + (share ?? 0), 0);
  return phases.map(({ batch_size, start_ts, device_count, state, error_threshold, success_threshold }) => ({
    share: batch_size ?? 100 - given,
    startMs: Date.parse(start_ts ?? created),
    state,
    errorPercent: error_threshold,
    successPercent: success_threshold,
    ...(device_count === undefined ? {} : { devices: device_count }),
  }));
}

/** Names of devices, as far as the server still knows them. */
async function namesOf(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const { data } = await call("post", "/api/management/v2/inventory/filters/search", {
    body: { device_ids: [...ids], per_page: ids.length },
    signal,
  });
  return new Map(data.map((device) => [device.id, deviceName(device)]));
}

/** What a download cost; why all of it was fetched, if it was. */
function downloadText({ needed, fetched, plain }: NonNullable<DeviceRow["download"]>): string {
  const cost = `${size(fetched)} of ${size(needed)} fetched`;
  return plain === undefined ? cost : `${cost} (whole: ${plain.replaceAll("-", " ")})`;
}

function Row({ row, showLog }: { readonly row: DeviceRow & { readonly name: string }; readonly showLog: () => void }) {
  const { id, name, status, substate, started, finished, attempts, log, asked, waiting_for, download } = row;
  const took = Date.parse(finished ?? "") - Date.parse(started ?? "");
  return (
    <tr>
      <td data-label="Device">
        <a href={pageUrl(`/devices/${id}`)}>{name}</a>
      </td>
      <td data-label="Status">
        <Status of={status}>{asked === false ? "has not asked" : undefined}</Status>
        {substate !== undefined && <div class="hint">{substate}</div>}
        {waiting_for !== undefined && <WaitingFor waiting={waiting_for} />}
        {download !== undefined && <div class="hint">{downloadText(download)}</div>}
      </td>
      <td data-label="Began">
        <Time at={started} />
      </td>
      <td data-label="Took">{Number.isNaN(took) ? "" : duration(took)}</td>
      <td data-label="Attempts">{attempts}</td>
      <td class="actions">
        {log && (
          <button type="button" onClick={showLog}>
            Log
          </button>
        )}
      </td>
    </tr>
  );
}

function Progress({ deployment: { id, statistics } }: { readonly deployment: Deployment }) {
  const progress = useResource(
    `progress ${id}`,
    async (signal) => (await call("get", `${PATH}/progress`, { params: { id }, signal })).data,
    ["device_deployment", "deployment"],
  );
  return (
    <Section title="Progress">
      <StatusBar counts={statistics.status} />
      <Loaded from={progress}>{(data) => <ProgressChart progress={data} />}</Loaded>
    </Section>
  );
}

function Failures({ id }: { readonly id: string }) {
  const failures = useResource(
    `failures ${id}`,
    async (signal) => (await call("get", `${PATH}/failures`, { params: { id }, signal })).data,
    ["device_deployment", "deployment_log"],
  );
  if (failures.data?.length === 0) return null;
  return (
    <Section title="Failures">
      <Loaded from={failures}>{(list) => <FailureList failures={list} />}</Loaded>
    </Section>
  );
}

function Devices({ id }: { readonly id: string }) {
  const list = useList(`/deployments/${id}`);
  const { status = "", log } = list.query;
  const found = useResource(
    [id, status, list.page].join("\n"),
    async (signal) => {
      const chosen = DEVICE_STATUSES.find((one) => one === status);
      const narrowing = chosen === undefined ? ({ unasked: "true" } as const) : { status: chosen };
      const query = { page: list.page, per_page: PER_PAGE, ...narrowing };
      const answer = await call("get", DEVICES, { params: { id }, query, signal });
      const ids = answer.data.map((row) => row.id);
      const names = await namesOf(ids, signal);
      return { ...answer, data: answer.data.map((row) => ({ ...row, name: names.get(row.id) ?? row.id })) };
    },
    ["device_deployment", "deployment_log"],
  );
  return (
    <Section title="Devices" actions={<ListChoice list={list} name="status" options={DEVICE_STATUSES} />}>
      <List
        list={list}
        from={found}
        perPage={PER_PAGE}
        noun="device"
        head={() => <TableHead titles={["Device", "Status", "Began", "Took", "Attempts"]} actions="Log" />}
        row={(row) => <Row key={row.id} row={row} showLog={() => list.open({ log: row.id })} />}
        empty={<p class="hint">{status === "" ? "No device has asked yet." : "No device has this status."}</p>}
      />
      {log !== undefined && <LogDialog deployment={id} device={log} onClose={() => list.open({ log: undefined })} />}
    </Section>
  );
}

function Downloads({ downloads }: { readonly downloads: Deployment["statistics"]["downloads"] }) {
  if (downloads === undefined) return null;
  const { devices, needed, fetched } = downloads;
  return (
    <>
      <dt>Downloads</dt>
      <dd>{`${size(fetched)} instead of ${size(needed)}, by ${plural(devices, "device")}`}</dd>
    </>
  );
}

export function DeploymentPage() {
  const { id = "" } = useRoute().params;
  const shown = useResource(id, async (signal) => (await call("get", PATH, { params: { id }, signal })).data, [
    "deployment",
    "device_deployment",
  ]);
  return (
    <Loaded from={shown}>
      {(deployment) => {
        const phases = phasesOf(deployment);
        return (
          <>
            <header class="title">
              <div>
                <p class="hint">
                  <a href={pageUrl("/deployments")}>Deployments</a> /
                </p>
                <h1>{deployment.name}</h1>
              </div>
              <div class="actions">
                <Actions deployment={deployment} />
              </div>
            </header>
            <dl class="facts">
              <dt>Status</dt>
              <dd>
                <Status of={deployment.status}>{deployment.paused ? "paused" : undefined}</Status>
              </dd>
              <dt>Release</dt>
              <dd>
                <a href={pageUrl(`/releases/${encodeURIComponent(deployment.artifact_name)}`)}>
                  {deployment.artifact_name}
                </a>
              </dd>
              <dt>Created</dt>
              <dd>
                <Time at={deployment.created} />
              </dd>
              <dt>Finished</dt>
              <dd>
                <Time at={deployment.finished} />
              </dd>
              <dt>Devices</dt>
              <dd>
                {deployment.device_count.toLocaleString("en")}
                {deployment.dynamic && " so far, and those that match later"}
              </dd>
              <dt>Retries</dt>
              <dd>{deployment.retries ?? 0}</dd>
              <Downloads downloads={deployment.statistics.downloads} />
            </dl>
            <Progress deployment={deployment} />
            <Failures id={id} />
            {phases.length > 0 && (
              <Section title="Phases">
                <PhaseAxis phases={phases} />
                <PhaseTable phases={phases} />
              </Section>
            )}
            <Devices id={id} />
          </>
        );
      }}
    </Loaded>
  );
}
