import { absolutePath, standardOutput } from "../../system/environment.ts";
import type { Api } from "../api.ts";
import type { Ctl } from "../context.ts";
import { findDeployment } from "../deployments.ts";
import { type Device, searchDevices, valueText } from "../devices.ts";
import { usage } from "../failure.ts";
import { csvLine } from "../output/csv.ts";
import { counted } from "../output/texts.ts";

interface ExportOptions {
  readonly what: "devices" | "deployments" | "device-deployments";
  readonly format?: "csv" | "jsonl";
  readonly output?: string;
  readonly deployment?: string;
}

/** One exported thing: a flat row for CSV, and the whole for JSON. */
interface Entry {
  readonly row: Readonly<Record<string, string>>;
  readonly whole: object;
}

const LINES = "\n";
const DEPLOYMENTS = "/api/management/v1/deployments/deployments";

/** Writes what the server has as CSV or JSON lines. */
export async function exportData({ what, format, output, deployment }: ExportOptions, ctl: Ctl): Promise<undefined> {
  if (deployment !== undefined && what !== "device-deployments") throw usage("--deployment needs device-deployments");
  const api = await ctl.api();
  const only = deployment === undefined ? undefined : (await findDeployment(api, deployment)).id;
  const entries = { devices, deployments, "device-deployments": (of: Api) => deviceDeployments(of, only) }[what](api);
  const isCsv = (format ?? (ctl.json ? "jsonl" : "csv")) === "csv";
  const lines = isCsv ? csvLines(entries) : jsonLines(entries);
  const count = output === undefined ? await toStandardOutput(lines) : await toFile(lines, absolutePath(output), ctl);
  ctl.say(`${counted(count, what.replace("-", " ").replace(/s$/, ""))} exported.`);
}

type Lines = AsyncGenerator<string, number>;

async function* jsonLines(entries: AsyncIterable<Entry>): Lines {
  let count = 0;
  for await (const { whole } of entries) {
    count += 1;
    yield JSON.stringify(whole);
  }
  return count;
}

/** All columns are known only behind the last row. */
async function* csvLines(entries: AsyncIterable<Entry>): Lines {
  const columns = new Set<string>();
  const rows: Entry["row"][] = [];
  for await (const { row } of entries) {
    for (const name of Object.keys(row)) columns.add(name);
    rows.push(row);
  }
  const own = [...columns].filter((name) => !name.includes("/"));
  const attributes = [...columns].filter((name) => name.includes("/")).sort();
  const names = [...own, ...attributes];
  yield csvLine(names);
  for (const row of rows) yield csvLine(names.map((name) => row[name] ?? ""));
  return rows.length;
}

async function toStandardOutput(lines: Lines): Promise<number> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) return value;
    await standardOutput.writeBytes(Buffer.from(value + LINES));
  }
}

async function toFile(lines: Lines, path: string, { system }: Ctl): Promise<number> {
  const handle = await system.files.open(path, "write", 0o644);
  try {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) return value;
      await handle.write(Buffer.from(value + LINES));
    }
  } finally {
    await handle.close();
  }
}

async function* devices(api: Api): AsyncGenerator<Entry> {
  for await (const page of searchDevices(api, {})) {
    for (const device of page) yield { row: deviceRow(device), whole: device };
  }
}

function deviceRow({ id, attributes, updated_ts: updated, last_contact_ts: contact }: Device): Entry["row"] {
  const columns = attributes.map(({ scope, name, value }) => [`${scope}/${name}`, valueText(value)]);
  return { id, updated, last_contact: contact ?? "", ...Object.fromEntries(columns) };
}

async function* deployments(api: Api): AsyncGenerator<Entry> {
  for await (const page of api.pages(DEPLOYMENTS)) {
    for (const deployment of page) {
      const {
        id,
        name,
        artifact_name: release,
        status,
        created,
        finished,
        device_count: count,
        statistics,
      } = deployment;
      const counts = Object.entries(statistics?.status ?? {}).map(([one, number]) => [one, String(number)]);
      const row = { id, name, release, status, created, finished: finished ?? "", devices: String(count ?? "") };
      yield { row: { ...row, ...Object.fromEntries(counts) }, whole: deployment };
    }
  }
}

async function* deviceDeployments(api: Api, only: string | undefined): AsyncGenerator<Entry> {
  if (only !== undefined) yield* ofDeployment(api, only);
  else for await (const page of api.pages(DEPLOYMENTS)) for (const { id } of page) yield* ofDeployment(api, id);
}

async function* ofDeployment(api: Api, deployment: string): AsyncGenerator<Entry> {
  for await (const page of api.pages(`${DEPLOYMENTS}/{id}/devices/list`, { params: { id: deployment } })) {
    for (const device of page) {
      const { id, status, substate, reason, created, started, finished, attempts } = device;
      const times = { created, started: started ?? "", finished: finished ?? "" };
      const why = { status, substate: substate ?? "", reason: reason ?? "", attempts: String(attempts ?? "") };
      yield { row: { deployment, device: id, ...why, ...times }, whole: { deployment, ...device } };
    }
  }
}
