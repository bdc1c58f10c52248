import { stringify } from "yaml";
import type { Recording } from "./format.ts";
import { type DeviceSession, type DeviceUpdate, outcomeOf, sessionsIn } from "./sessions.ts";

const HEADING = "# yaml-language-server: $schema=./scenario.schema.json\n";
const POLL_MS_MIN = 1000;
const PAYLOAD_BYTES_MIN = 1;
/** Slack added to the recorded times: the agent's pauses may be longer than the recorded device's. */
const SLACK_MS = 3 * 86_400_000;

/** The module call that fails in the scenario, by the last status of the recorded update. */
const FAILING: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  downloading: { bad_artifact: "corrupted" },
  installing: { module_fails: "ArtifactInstall" },
  rebooting: { module_fails: "ArtifactVerifyReboot" },
};

/** Durations in scenarios are whole seconds. */
function duration(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1000))}s`;
}

interface RecordedDeployment {
  readonly name: string;
  readonly id: string;
  readonly updates: readonly { readonly device: DeviceSession; readonly update: DeviceUpdate }[];
}

function deploymentsIn(sessions: readonly DeviceSession[]): RecordedDeployment[] {
  const byId = new Map<string, { device: DeviceSession; update: DeviceUpdate }[]>();
  const all = sessions.flatMap((device) => device.updates.map((update) => ({ device, update })));
  for (const one of all.sort((a, b) => a.update.offeredMs - b.update.offeredMs)) {
    const known = byId.get(one.update.deployment) ?? [];
    known.push(one);
    byId.set(one.update.deployment, known);
  }
  return [...byId].map(([id, updates], index) => ({ id, name: `deployment-${index + 1}`, updates }));
}

/**
 * Writes a scenario file that repeats a recording: its devices, offers, failures and error answers, with the recorded
 * outcome as the expectation. Facts that no recording contains, such as the content of a payload, are invented.
 * @param name Name of the scenario.
 */
export function scenarioFrom(recording: Recording, name: string): string {
  const sessions = sessionsIn(recording);
  const deployments = deploymentsIn(sessions);
  const begun = new Date(recording.head.begun);
  const lastMs = Math.max(0, ...recording.exchanges.map(({ at_ms }) => at_ms));
  const timeline = timelineOf(sessions, deployments);
  const faults = sessions.flatMap((device) => faultsOf(device));
  const scenario = {
    scenario: name,
    why: `What happened to ${sessions.length} device(s) on ${begun.toISOString().slice(0, 10)} happens again, to see whether it still does, and whether it should.`,
    starts: `${begun.toISOString().slice(0, 19)}Z`,
    ends: { at_most: duration(lastMs + SLACK_MS) },
    fleet: sessions.map((device) => fleetOf(device)),
    ...(deployments.length === 0
      ? {}
      : { releases: releasesOf(deployments), deployments: deployments.map(deploymentOf) }),
    ...(timeline.length === 0 ? {} : { timeline }),
    ...(faults.length === 0 ? {} : { faults }),
    expect: expectationsOf(sessions, deployments),
  };
  return HEADING + stringify(scenario, { lineWidth: 0 });
}

function fleetOf({ name, type, provides, pollMs, refusedMs, updates }: DeviceSession): object {
  const installs = updates.flatMap(({ reports }) => timeIn(reports, "installing"));
  const reboots = updates.some(({ reports }) => reports.some(({ status }) => status === "rebooting"));
  const module = {
    ...(reboots ? { reboot: "yes" } : {}),
    ...(installs.length === 0 ? {} : { takes: duration(Math.max(1000, ...installs)) }),
  };
  return {
    name,
    type,
    ...(Object.keys(provides).length === 0 ? {} : { provides }),
    ...(pollMs === undefined ? {} : { poll: duration(Math.max(POLL_MS_MIN, pollMs)) }),
    ...(Object.keys(module).length === 0 ? {} : { module }),
    ...(refusedMs === undefined ? {} : { accept: "no" }),
  };
}

/** Duration of a status that another one followed. */
function timeIn(reports: DeviceUpdate["reports"], status: string): number[] {
  const index = reports.findIndex((report) => report.status === status);
  const [report, next] = [reports[index], reports[index + 1]];
  return report === undefined || next === undefined ? [] : [next.atMs - report.atMs];
}

function releasesOf(deployments: readonly RecordedDeployment[]): object[] {
  const releases = new Map<string, Map<string, object>>();
  for (const { update } of deployments.flatMap(({ updates }) => updates)) {
    const artifacts = releases.get(update.release) ?? new Map<string, object>();
    const size = Math.max(PAYLOAD_BYTES_MIN, update.artifact?.size ?? 0);
    const payload = update.artifact === undefined ? {} : { payload: `${size} B` };
    const types = [...update.deviceTypes].sort();
    artifacts.set(types.join(), { ...(types.length === 0 ? {} : { device_types: types }), ...payload });
    releases.set(update.release, artifacts);
  }
  return [...releases].map(([name, artifacts]) => ({ name, artifacts: [...artifacts.values()] }));
}

function deploymentOf({ name, updates }: RecordedDeployment): object {
  const firstMs = Math.min(...updates.map(({ update }) => update.offeredMs));
  return {
    name,
    release: updates[0]?.update.release,
    to: updates.map(({ device }) => device.name),
    // After the devices that were accepted just before.
    at: duration((Math.floor(firstMs / 1000) + 1) * 1000),
  };
}

function timelineOf(sessions: readonly DeviceSession[], deployments: readonly RecordedDeployment[]): object[] {
  const accepted = sessions.flatMap(({ name, refusedMs, acceptedMs }) =>
    refusedMs === undefined || acceptedMs === undefined
      ? []
      : [{ atMs: Math.floor(acceptedMs / 1000) * 1000, do: { accept: name } }],
  );
  const aborted = deployments.flatMap(({ name, updates }) => {
    const times = updates.flatMap(({ update }) => (update.abortedMs === undefined ? [] : [update.abortedMs]));
    return times.length === 0 ? [] : [{ atMs: Math.min(...times), do: { abort: name } }];
  });
  return [...accepted, ...aborted]
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, do: action }) => ({ at: duration(atMs), do: action }));
}

function faultsOf({ name, updates, refusals }: DeviceSession): object[] {
  const faults: object[] = [];
  const met = new Map<string, number>();
  for (const update of updates) {
    for (const cut of update.cuts) faults.push({ cut_download: { at: `${cut} B` }, devices: [name], count: 1 });
    const passed = update.reports.map(({ status }) => status);
    const last = passed.filter((status) => status in FAILING).at(-1);
    if (outcomeOf(update) === "failure" && last !== undefined) {
      const skip = met.get(last) ?? 0;
      faults.push({ ...FAILING[last], devices: [name], ...(skip === 0 ? {} : { skip }), count: 1 });
    }
    for (const status of new Set(passed)) met.set(status, (met.get(status) ?? 0) + 1);
  }
  for (const { kind, status, retryAfterS, atMs } of refusals) {
    const answer = { status, ...(retryAfterS === undefined ? {} : { retry_after: `${retryAfterS}s` }) };
    faults.push({ answer, to: kind, devices: [name], from: duration(atMs), count: 1 });
  }
  return faults;
}

function expectationsOf(sessions: readonly DeviceSession[], deployments: readonly RecordedDeployment[]): object[] {
  const expected: object[] = deployments.flatMap(({ name, updates }) => {
    const statistics = new Map<string, number>();
    for (const { update } of updates) {
      const outcome = update.abortedMs === undefined ? outcomeOf(update) : "aborted";
      // The recording ended before the device's update.
      if (outcome === undefined) return [];
      statistics.set(outcome, (statistics.get(outcome) ?? 0) + 1);
    }
    return [{ deployment: name, statistics: Object.fromEntries(statistics) }];
  });
  for (const { name, updates } of sessions) {
    const [only, ...others] = updates;
    if (only !== undefined && others.length === 0 && outcomeOf(only) !== undefined) {
      expected.push({ device: name, statuses: only.reports.map(({ status }) => status) });
    }
    const last = updates.filter((update) => outcomeOf(update) === "success").at(-1);
    if (last !== undefined && updates.every((update) => outcomeOf(update) !== undefined)) {
      expected.push({ device: name, runs: last.release });
    }
    if (updates.length === 0) expected.push({ never: { device: name, reports: "downloading" } });
  }
  return expected;
}
