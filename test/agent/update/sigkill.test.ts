import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { STATE_NAMES, type StateName } from "../../../agent/update/states.ts";
import { createAgentRoot, runUpkeep, startAgent } from "../../support/agent.ts";
import { KeptRunning } from "../../support/program.ts";
import { type Exchange, RecordingProxy } from "../../support/recording-proxy.ts";
import { type RunningServer, runUpkeepServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";

/** Told to (HANG), says so in the file `hanging`, and does not come back. */
const HANG = `
hang_in() {
  [ "$1" = "$HANG" ] && [ ! -e "$DEVICE/hanging" ] || return 0
  echo $$ > "$DEVICE/hanging.new"
  mv "$DEVICE/hanging.new" "$DEVICE/hanging"
  exec sleep 600
}`;

/** An update module that keeps one file, `software`, and rolls it back. Told to (FAIL), a call fails. */
const MODULE = `#!/bin/sh
set -e
${HANG}
state="$1"
if [ "$1" = NeedsArtifactReboot ] && [ -e tmp/rolled-back ]; then state=NeedsRollbackReboot; fi
hang_in "$state"
case "$1" in
  ArtifactInstall) [ -e tmp/before ] || cp "$DEVICE/software" tmp/before; cp files/software "$DEVICE/software" ;;
  ArtifactRollback) if [ -e tmp/before ]; then cp tmp/before "$DEVICE/software"; fi; touch tmp/rolled-back ;;
  NeedsArtifactReboot) echo "$REBOOT" ;;
  SupportsRollback) echo Yes ;;
esac
[ "$1" != "$FAIL" ]
`;

/** The only thing that happens in AfterArtifactCommit. */
const COMMIT_LEAVE = `#!/bin/sh\n${HANG}\nhang_in AfterArtifactCommit\n`;

interface Path {
  readonly environment: Readonly<Record<string, string>>;
  /** How the deployment ends if the agent is killed in this state, and started again. */
  readonly ends: Partial<Record<StateName, "success" | "failure">>;
}

/** The three ways through the table that together enter every state that a deployment can enter. */
const PATHS: readonly Path[] = [
  {
    environment: { REBOOT: "No" },
    ends: {
      Download: "success",
      ArtifactInstall: "failure",
      NeedsArtifactReboot: "failure",
      BeforeArtifactCommit: "failure",
      ArtifactCommit: "failure",
      AfterArtifactCommit: "success",
      Cleanup: "success",
      Report: "success",
    },
  },
  {
    environment: { REBOOT: "Automatic" },
    ends: { ArtifactReboot: "success", ArtifactVerifyReboot: "failure" },
  },
  {
    environment: { REBOOT: "Automatic", FAIL: "ArtifactVerifyReboot" },
    ends: {
      SupportsRollback: "failure",
      ArtifactRollback: "failure",
      NeedsRollbackReboot: "failure",
      ArtifactRollbackReboot: "failure",
      ArtifactVerifyRollbackReboot: "failure",
      ArtifactFailure: "failure",
    },
  },
];

/** The answers that are lost, so that the agent waits in a state that consists of a report. */
const LOST: Partial<Record<StateName, (exchange: Exchange, proxy: RecordingProxy) => boolean>> = {
  BeforeArtifactCommit: ({ path }, { exchanges }) =>
    path.endsWith("/status") && exchanges.filter(({ body }) => body.includes('"installing"')).length === 2,
  Report: ({ path, body }) => path.endsWith("/status") && /"(success|failure)"/.test(body),
};

/** The machine itself ends the agent in these, and starts it again. */
const REBOOTS: readonly StateName[] = ["ArtifactReboot", "ArtifactRollbackReboot"];

let folder: string;
let server: RunningServer;
let proxy: RecordingProxy;
let agent: KeptRunning | undefined;
let count = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-sigkill-"));
  server = await startServer(join(folder, "server"), ["--auto-accept"]);
  writeFileSync(join(folder, "software"), "new");
  const script = join(folder, "ArtifactCommit_Leave_00");
  writeFileSync(script, COMMIT_LEAVE);
  const artifact = join(folder, "release.mender");
  const flags = ["-T", "keeper", "-n", "new", "-t", "board", "-f", join(folder, "software"), "-s", script];
  runUpkeepServer(["artifact", "write", "module-image", ...flags, "-o", artifact]);
  await server.management.upload(artifact);
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  proxy = await RecordingProxy.start(server.url);
});

afterEach(async () => {
  await agent?.stop();
  await proxy.stop();
});

function createDevice(): { root: string; serial: string } {
  const serial = `board-${++count}`;
  const root = join(folder, serial);
  const modules = { keeper: MODULE };
  createAgentRoot(root, { serverUrl: proxy.url, deviceType: "board", identity: { serial }, modules });
  writeFileSync(join(root, "software"), "old");
  mkdirSync(join(root, "bin"));
  writeFileSync(join(root, "bin/reboot"), "#!/bin/sh\nkill -KILL $PPID\n");
  chmodSync(join(root, "bin/reboot"), 0o755);
  return { root, serial };
}

/** Resolves when the agent rests in `state` and will not leave it on its own account. */
async function resting(state: StateName, root: string, program: KeptRunning): Promise<void> {
  const lost = LOST[state];
  await until(
    `the agent rests in ${state}`,
    () => {
      const rests = lost
        ? proxy.exchanges.some((exchange) => exchange.status !== undefined && lost(exchange, proxy))
        : existsSync(join(root, "hanging"));
      return rests || undefined;
    },
    { explain: () => program.output() },
  );
}

/** As pulling the plug would: the agent, and what it has started, at once and without a word. */
async function pullThePlug(program: KeptRunning, root: string): Promise<void> {
  proxy.loseAnswers(() => false);
  await program.kill();
  const hanging = join(root, "hanging");
  if (!existsSync(hanging)) return;
  const group = Number(readFileSync(hanging, "utf8"));
  // Anything else would be far more than one group.
  if (!Number.isInteger(group) || group <= 1) throw new Error(`${hanging} holds no process id`);
  process.kill(-group, "SIGKILL");
}

for (const { environment, ends } of PATHS) {
  for (const [state, expected] of Object.entries(ends) as [StateName, "success" | "failure"][]) {
    test(`killed in ${state}, the agent ends with ${expected}, and says so once`, async () => {
      const { root, serial } = createDevice();
      const lost = LOST[state];
      if (lost) proxy.loseAnswers((exchange) => lost(exchange, proxy));
      const path = `${join(root, "bin")}:${process.env.PATH}`;
      const program = new KeptRunning(() =>
        startAgent(root, { environment: { DEVICE: root, FAIL: "", HANG: state, PATH: path, ...environment } }),
      );
      agent = program;
      const output = (): string => program.output();
      const device = await server.management.device("serial", serial, output);
      const deployment = await server.management.deploy("new", [device.id], `kill in ${state}`);
      if (!REBOOTS.includes(state)) {
        await resting(state, root, program);
        await pullThePlug(program, root);
      }

      const [result] = await server.management.finished(deployment, output);
      expect(result?.status, output()).toBe(expected);
      expect(program.restarts).toBeGreaterThan(0);
      expect(output()).toContain(`"state ${state}:`);
      if (expected === "failure") expect(await server.management.log(deployment, device.id, output)).not.toBe("");
      await until("the update is forgotten", () => storeOf(root).update === null || undefined, { explain: output });
      const finals = proxy.reports(deployment).filter(({ status }) => status === "success" || status === "failure");
      expect(new Set(finals.map(({ status }) => status))).toEqual(new Set([expected]));
      expect(readFileSync(join(root, "software"), "utf8")).toBe(expected === "success" ? "new" : "old");
      await program.stop();
      expect(runUpkeep(root, ["show-artifact"])).toBe(expected === "success" ? "new\n" : "unknown\n");
    });
  }
}

function storeOf(root: string): { update: unknown } {
  return JSON.parse(readFileSync(join(root, "var/lib/mender/upkeep-store.json"), "utf8")) as { update: unknown };
}

test("every state that a deployment can enter was killed in", () => {
  const killed = new Set(PATHS.flatMap(({ ends }) => Object.keys(ends)));
  // An update by hand waits in AwaitCommit; no deployment does.
  expect(STATE_NAMES.filter((state) => !killed.has(state))).toEqual(["AwaitCommit"]);
});
