import { ManagementClient } from "../../scenarios/management/client.ts";
import { rootOf, startDevice, UPDATED, WAITING } from "./devices.ts";
import { follow, type Stage, until } from "./follow.ts";
import { type KnownDevice, Operator } from "./operator.ts";
import { makeReleases } from "./releases.ts";

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
