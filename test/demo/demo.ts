/**
 * `npm run demo`: a server and a device, each a process of its own; a release that installs, and one that
 * fails its self-test and is rolled back. Exits with 0 only if everything was as it should be.
 * `-- --keep` is `upkeep-server try`: it goes on until Ctrl-C.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { APP_MODULE, APP_MODULE_TEXT, appText } from "../../mock-server/cli/try/app.ts";
import { createAgentRoot, runUpkeep, startAgent } from "../support/agent.ts";
import type { DeviceDeployment, ManagementClient } from "../support/management.ts";
import type { Program } from "../support/program.ts";
import { type RunningServer, runUpkeepServer, startServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";

const DEVICE_TYPE = "demo-board";
const SERIAL = "demo-0001";

/** One program a release; the second one does not pass its self-test. */
const RELEASES = [
  { name: "app-1.0", selfTest: 0, expected: "success" },
  { name: "app-2.0", selfTest: 1, expected: "failure" },
] as const;

const colour = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code: number, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
const say = (text = ""): void => void process.stdout.write(`${text}\n`);
const step = (text: string): void => say(`\n${paint(1, text)}`);
const indented = (text: string): string => text.trimEnd().replaceAll(/^/gm, "    ");

function check(what: string, holds: boolean): void {
  if (!holds) throw new Error(`the demo did not go as it should: ${what}`);
  say(`  ${paint(32, "✓")} ${what}`);
}

function makeArtifact(folder: string, release: (typeof RELEASES)[number]): string {
  const payload = join(folder, release.name);
  mkdirSync(payload);
  const selfTest = `echo "exit code ${release.selfTest}"\nexit ${release.selfTest}`;
  writeFileSync(join(payload, "app"), appText(release.name, selfTest));
  const artifact = join(folder, `${release.name}.mender`);
  const flags = ["-T", APP_MODULE, "-n", release.name, "-t", DEVICE_TYPE, "-f", join(payload, "app"), "-o", artifact];
  runUpkeepServer(["artifact", "write", "module-image", ...flags]);
  return artifact;
}

/** Follow a deployment on the device, printing each status as it comes, until it is finished. */
async function follow(management: ManagementClient, deployment: string): Promise<DeviceDeployment> {
  let last = "";
  return until(`deployment ${deployment} is finished`, async () => {
    // Asked first: what is finished does not change any more.
    const { status } = await management.deployment(deployment);
    const [device] = await management.deviceDeployments(deployment);
    if (device === undefined) return undefined;
    if (device.status !== last) say(`  ${paint(36, "•")} ${device.status}`);
    last = device.status;
    return status === "finished" ? device : undefined;
  });
}

async function demo(folder: string, started: { server?: RunningServer; agent?: Program }): Promise<void> {
  step("A server");
  started.server = await startServer(join(folder, "server"));
  const { server } = started;
  const { management } = server;
  say(`  ${server.url}   user ${server.email}   password ${server.password}`);

  step("A device");
  const root = join(folder, "device");
  createAgentRoot(root, {
    serverUrl: server.url,
    deviceType: DEVICE_TYPE,
    identity: { serial: SERIAL },
    modules: { [APP_MODULE]: APP_MODULE_TEXT },
  });
  started.agent = startAgent(root);
  const { agent } = started;
  const explain = (): string => `${agent.output()}\n${server.program.output()}`;
  const device = await management.device("serial", SERIAL, explain);
  say(`  serial=${SERIAL} asks to be let in: ${device.status}`);
  await management.setStatus(device, "accepted");
  say("  accepted");

  const app = join(root, "opt/app/app");
  for (const release of RELEASES) {
    step(`Release ${release.name}`);
    const artifact = makeArtifact(folder, release);
    await management.upload(artifact);
    const deployment = await management.deploy(release.name, [device.id]);
    say(`  uploaded; deployment ${deployment}`);
    const result = await follow(management, deployment);
    check(`the deployment ended with ${release.expected}`, result.status === release.expected);
    const statistics = await management.statistics(deployment);
    const counted = Object.entries(statistics).filter(([, count]) => count > 0);
    say(`  statistics: ${counted.map(([status, count]) => `${status} ${count}`).join(", ")}`);
    if (result.status === "failure") {
      const log = await management.log(deployment, device.id);
      say("  its log, as the server has it:");
      say(paint(90, indented(log)));
      check("the log tells why", log.includes("exit code 1"));
    }
  }

  step("What is on the device now");
  const provides = runUpkeep(root, ["show-provides"]);
  say(indented(provides));
  check("it says that it has release app-1.0", provides.split("\n").includes("artifact_name=app-1.0"));
  check("app 1.0 is what runs", existsSync(app) && readFileSync(app, "utf8").includes("this is app-1.0"));
}

async function demonstrate(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-demo-"));
  const started: { server?: RunningServer; agent?: Program } = {};
  try {
    await demo(folder, started);
    say(`\n${paint(32, "Everything went as it should.")}`);
  } catch (error) {
    process.exitCode = 1;
    say(`\n${paint(31, error instanceof Error ? error.message : String(error))}`);
    say(`${started.agent?.output() ?? ""}\n${started.server?.program.output() ?? ""}`);
  }
  await started.agent?.stop();
  await started.server?.stop();
  rmSync(folder, { recursive: true, force: true });
}

const { values: options } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
if (options.keep) {
  const program = join(import.meta.dirname, "../../mock-server/bin/upkeep-server.mjs");
  process.argv.splice(1, process.argv.length, program, "try");
  await import(program);
} else {
  await demonstrate();
}
