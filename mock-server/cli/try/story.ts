import type { System } from "@upkeep/shared/system";
import { ManagementClient } from "../../scenarios/management/client.ts";
import type { Output } from "../../system/environment.ts";
import type { Tether } from "../../system/tether.ts";
import { CommandError } from "../failure.ts";
import { rootOf, startDevice, type TriedDevice, UPDATED, WAITING } from "./devices.ts";
import { isOver, type KnownDevice, Operator } from "./operator.ts";
import { makeReleases } from "./releases.ts";

const LOOK_MS = 250;
/** Until something is taken for a failure: a busy machine may need a minute to start four agents. */
const WAIT_MS_MAX = 300_000;

export interface Stage {
  readonly system: System;
  readonly tether: Tether;
  /** Command line of the agent. */
  readonly agent: readonly [command: string, ...args: string[]];
  readonly server: { readonly url: string; readonly email: string; readonly password: string };
  readonly out: Output;
  /** Aborted when everything is to end. */
  readonly signal: AbortSignal;
}

/** Waits until `look` returns something. @throws CommandError with the devices' logs; the signal's reason. */
async function until<T>(
  { system, signal }: Stage,
  devices: readonly TriedDevice[],
  what: string,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const beganMs = system.clock.monotonic();
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    const ended = devices.find((device) => device.end() !== undefined);
    if (ended !== undefined) {
      throw new CommandError(`the agent of ${ended.plan.name} has ended (${ended.end()}):\n${ended.log()}`);
    }
    if (system.clock.monotonic() - beganMs > WAIT_MS_MAX) {
      const logs = devices.map(({ plan, log }) => `${plan.name}:\n${log()}`).join("\n");
      throw new CommandError(`${WAIT_MS_MAX / 1000} s have passed, and still not: ${what}\n${logs}`);
    }
    await system.timers.sleep(LOOK_MS, signal);
  }
}

/** Shows each change of a deployment until it is over on every device. */
async function follow(
  stage: Stage,
  operator: Operator,
  devices: readonly TriedDevice[],
  deployment: string,
  names: ReadonlyMap<string, string>,
): Promise<void> {
  const shown = new Map<string, string>();
  await until(stage, devices, "the deployment is over", async () => {
    const progress = await operator.progress(deployment);
    for (const [id, { status }] of progress) {
      if (shown.get(id) === status) continue;
      shown.set(id, status);
      stage.out.write(`    ${(names.get(id) ?? id).padEnd(7)}${status}\n`);
    }
    const over = [...names.keys()].every((id) => {
      const device = progress.get(id);
      return device !== undefined && isOver(device);
    });
    return over || undefined;
  });
}

/** Starts the devices, installs the first release and begins with the second; returns when that is over too. */
export async function tellStory(stage: Stage): Promise<void> {
  const { system, tether, agent, server, out } = stage;
  const { url, email, password } = server;
  const client = await ManagementClient.open(system.network, url, { email, password });
  const operator = new Operator(client);
  out.write(`
  page      ${url}/
  user      ${email}
  password  ${password}

Starting four devices, each with an agent of its own.
`);
  const plans = [...UPDATED, WAITING];
  const devices = await Promise.all(plans.map((plan) => startDevice(system.files, tether, agent, url, plan)));
  const known = await until(stage, devices, "every device asks to be accepted", async () => {
    const asked = await operator.devices();
    return plans.every(({ name }) => asked.has(name)) ? asked : undefined;
  });
  const accepted = UPDATED.flatMap(({ name }): KnownDevice[] => [known.get(name) ?? []].flat());
  for (const device of accepted) await operator.accept(device);
  out.write(`Accepted: ${UPDATED.map(({ name }) => name).join(", ")}. ${WAITING.name} waits for you to accept it.\n`);

  const names = new Map(accepted.map(({ id }, index) => [id, UPDATED[index]?.name ?? ""]));
  const [first, second] = await makeReleases(system.random);
  await operator.upload(first);
  await operator.upload(second);
  out.write(`\nDeploying ${first.name}:\n`);
  await follow(stage, operator, devices, await operator.deploy(first, accepted), names);
  const deployment = await operator.deploy(second, accepted);
  out.write(`
Deploying ${second.name}. hall installs it; yard has a slow link and takes longer; roof has no camera, so that the
self-test fails and ${first.name} comes back. What to do meanwhile:

  1. See it happen:          ${url}/deployments/${deployment}
     Its table has the log of roof, with the line that failed.
  2. Accept ${WAITING.name}:          ${url}/devices?status=pending
     and deploy ${second.name} to it:  ${url}/deployments/new
  3. Give roof a camera:     touch ${rootOf(tether, { name: "roof" })}/dev/camera
     and press "Retry the failed" on the page of the deployment.

Ctrl-C ends the server and the devices, and removes all their files.

`);
  await follow(stage, operator, devices, deployment, names);
  out.write(`\nDone. The page stays until Ctrl-C: ${url}/\n`);
}
