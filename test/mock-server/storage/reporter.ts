import { writeSync } from "node:fs";
import { openTestDomain } from "../domain-fixture.ts";

// Reports one status after another, each with a number that grows, and says which were acknowledged. It goes on
// until it is killed, or has said so often enough.
const REPORTS_MAX = Number(process.env.UPKEEP_REPORTS_MAX ?? Number.POSITIVE_INFINITY);
let reported = 0;
const [location = "", deployment = "", ...devices] = process.argv.slice(2);
const { domain } = await openTestDomain(
  {},
  location.startsWith("postgres:") ? { url: location } : { directory: location },
);
const known = (await domain.deployments.devices(deployment, undefined)).items;
let number = Math.max(0, ...known.map(({ substate }) => Number(substate?.replace("mark-", "") ?? 0)));
const NEXT = { pending: "downloading", downloading: "installing", installing: "rebooting", rebooting: "downloading" };
const current = new Map(known.map(({ deviceId, status }) => [deviceId, status]));

/** One device after the other does not wait for the others: the server is never idle. */
async function report(device: string): Promise<void> {
  while (reported < REPORTS_MAX) {
    number += 1;
    const substate = `mark-${String(number).padStart(8, "0")}`;
    const status = NEXT[current.get(device) as keyof typeof NEXT] as "downloading" | "installing" | "rebooting";
    await domain.deviceSide.report(device, deployment, status, substate);
    current.set(device, status);
    reported += 1;
    writeSync(1, `${device} ${substate}\n`);
  }
}

await Promise.all(devices.map(report));
await domain.close();
