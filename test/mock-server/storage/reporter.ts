import { writeSync } from "node:fs";
import { openTestDomain } from "../domain-fixture.ts";

// Reports one status after another, each with a number that grows, and says which were acknowledged.
const [directory = "", deployment = "", ...devices] = process.argv.slice(2);
const { domain } = await openTestDomain({}, { directory });
const known = (await domain.deployments.devices(deployment, undefined)).items;
let number = Math.max(0, ...known.map(({ substate }) => Number(substate ?? 0)));
const NEXT = { pending: "downloading", downloading: "installing", installing: "rebooting", rebooting: "downloading" };
const current = new Map(known.map(({ deviceId, status }) => [deviceId, status]));

for (;;) {
  const round = devices.map(async (device) => {
    number += 1;
    const substate = String(number);
    const status = NEXT[current.get(device) as keyof typeof NEXT] as "downloading" | "installing" | "rebooting";
    current.set(device, status);
    await domain.deviceSide.report(device, deployment, status, substate);
    writeSync(1, `${device} ${substate}\n`);
  });
  await Promise.all(round);
}
