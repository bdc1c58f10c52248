import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { given } from "@upkeep/shared/given";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { parseScenario } from "../../../../mock-server/scenarios/file/index.ts";
import {
  parseRecording,
  type RecordedExchange,
  type Recording,
} from "../../../../mock-server/scenarios/recording/format.ts";
import { scenarioFrom } from "../../../../mock-server/scenarios/recording/to-scenario.ts";
import { runUpkeepServer } from "../../../support/server.ts";

const COMMITTED = join(import.meta.dirname, "sessions/mender-client.jsonl");

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-from-recording-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("the session of the real mender-client becomes a scenario in which the same comes of it", () => {
  const file = join(folder, "session.yaml");
  runUpkeepServer(["scenario", "from-recording", COMMITTED, "--output", file, "--name", "As recorded"]);
  const scenario = parse(readFileSync(file, "utf8"));
  expect(scenario).toMatchObject({
    scenario: "As recorded",
    fleet: [{ name: "d1", type: "interop-board", provides: { artifact_name: "factory" }, accept: "no" }],
    timeline: [{ do: { accept: "d1" } }],
    faults: [{ module_fails: "ArtifactInstall", devices: ["d1"], skip: 1, count: 1 }],
    expect: [
      { deployment: "deployment-1", statistics: { success: 1 } },
      { deployment: "deployment-2", statistics: { failure: 1 } },
      { device: "d1", runs: "release-1" },
    ],
  });
  expect(runUpkeepServer(["scenario", "run", file])).toContain("1 of 1 scenarios went as expected");
});

const NEXT = "/api/devices/v2/deployments/device/deployments/next";
const status = (id: string): string => `/api/devices/v1/deployments/device/deployments/${id}/status`;
const PROVIDES = { device_provides: { device_type: "board", artifact_name: "v1" } };
const offer = (id: string) => ({
  id,
  artifact: { artifact_name: "v2", source: { uri: `<link ${id}>` }, device_types_compatible: ["board"] },
});

type Row = readonly [
  device: string,
  atS: number,
  path: string,
  asked: object | undefined,
  answer: Partial<RecordedExchange["answer"]>,
];

function recorded(rows: readonly Row[]): Recording {
  const lines = rows.map(
    ([device, atS, path, json, answer], index): RecordedExchange => ({
      n: index + 1,
      at_ms: atS * 1000,
      took_ms: 1,
      device,
      request: { method: "POST", path, headers: {}, ...given({ json }) },
      answer: { status: 204, headers: {}, ...answer },
    }),
  );
  const head = { format: "upkeep-recording", version: 1, begun: "2026-03-01T10:00:00.5Z" };
  return parseRecording([head, ...lines].map((line) => JSON.stringify(line)).join("\n"), "r");
}

test("broken downloads, answers that were none, aborts and failures are faults and events of the scenario", () => {
  const bytes = { size: 3000, sha256: "a" };
  const recording = recorded([
    ["d1", 0, NEXT, PROVIDES, { status: 503, headers: { "retry-after": "30" } }],
    ["d1", 31, NEXT, PROVIDES, { status: 200, json: offer("one") }],
    ["d1", 32, status("one"), { status: "downloading" }, {}],
    ["d1", 33, "<link one>", undefined, { status: 200, bytes, broken: true }],
    ["d1", 40, status("one"), { status: "installing" }, {}],
    ["d1", 50, status("one"), { status: "rebooting" }, {}],
    ["d1", 60, status("one"), { status: "failure" }, {}],
    ["d2", 35, NEXT, PROVIDES, { status: 200, json: offer("two") }],
    ["d2", 36, status("two"), { status: "downloading" }, {}],
    ["d2", 90, status("two"), { status: "installing" }, { status: 409 }],
    ["d3", 91, NEXT, PROVIDES, {}],
  ]);
  const text = scenarioFrom(recording, "Odds and ends");
  expect(() => parseScenario(text, "r")).not.toThrow();
  expect(parse(text)).toMatchObject({
    starts: "2026-03-01T10:00:00Z",
    fleet: [{ name: "d1", poll: "31s", module: { reboot: "yes", takes: "10s" } }, { name: "d2" }, { name: "d3" }],
    releases: [{ name: "v2", artifacts: [{ device_types: ["board"] }] }],
    deployments: [
      { name: "deployment-1", to: ["d1"], at: "32s" },
      { name: "deployment-2", to: ["d2"], at: "36s" },
    ],
    timeline: [{ at: "90s", do: { abort: "deployment-2" } }],
    faults: [
      { cut_download: { at: "3000 B" }, devices: ["d1"], count: 1 },
      { module_fails: "ArtifactVerifyReboot", devices: ["d1"], count: 1 },
      { answer: { status: 503, retry_after: "30s" }, to: "poll", devices: ["d1"], from: "0s", count: 1 },
    ],
    expect: [
      { deployment: "deployment-1", statistics: { failure: 1 } },
      { deployment: "deployment-2", statistics: { aborted: 1 } },
      { device: "d1", statuses: ["downloading", "installing", "rebooting", "failure"] },
      { never: { device: "d3", reports: "downloading" } },
    ],
  });
});
