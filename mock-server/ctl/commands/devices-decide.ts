import { type Api, ApiError, LacksOperation } from "../api.ts";
import type { Ctl } from "../context.ts";
import { allDevices, findDevices } from "../devices.ts";
import { EXIT, type ExitCode, usage } from "../failure.ts";
import type { Term } from "../filter.ts";
import { counted } from "../output/texts.ts";

interface DecideOptions {
  readonly device?: readonly string[];
  readonly all?: boolean;
  readonly yes?: boolean;
}

type Decision = "accepted" | "rejected";

/** What has become of a device. */
interface Result {
  readonly id: string;
  /** `changed`, `unchanged`, or why not. */
  readonly result: string;
  readonly reason?: string;
}

const PENDING: readonly Term[] = [{ scope: "identity", attribute: "status", type: "$eq", value: "pending" }];
/** Ids in one request. */
const BATCH = 5000;

export const devicesAccept = (options: DecideOptions, ctl: Ctl) => decide(options, ctl, "accepted");
export const devicesReject = (options: DecideOptions, ctl: Ctl) => decide(options, ctl, "rejected");

async function decide({ device = [], all, yes }: DecideOptions, ctl: Ctl, status: Decision): Promise<ExitCode> {
  if ((device.length === 0) === (all !== true)) throw usage("say which devices, or --all");
  const api = await ctl.api();
  const ids = all ? (await allDevices(api, { terms: PENDING })).map(({ id }) => id) : await findDevices(api, device);
  if (ids.length === 0) {
    ctl.say("No device is pending.");
    return EXIT.ok;
  }
  const verb = status === "accepted" ? "Accept" : "Reject";
  const question = `${verb} ${counted(ids.length, "device")} that ${ids.length === 1 ? "is" : "are"} pending?`;
  if (all && !(await ctl.confirmed(question, yes))) return EXIT.error;
  const results: Result[] = [];
  for (let at = 0; at < ids.length; at += BATCH)
    results.push(...(await decideOn(api, ids.slice(at, at + BATCH), status)));
  return tell(results, ctl, status);
}

function tell(results: readonly Result[], ctl: Ctl, status: Decision): ExitCode {
  const refused = results.filter(({ reason }) => reason !== undefined);
  if (ctl.json) ctl.printJson(results);
  else {
    ctl.say(`${counted(results.length - refused.length, "device")} ${status}.`);
    for (const { id, reason } of refused) ctl.say(`${id}: ${reason}`);
  }
  return refused.length > 0 ? EXIT.error : EXIT.ok;
}

async function decideOn(api: Api, ids: readonly string[], status: Decision): Promise<readonly Result[]> {
  try {
    const { data } = await api.call("put", "/api/management/v2/devauth/devices/status", {
      body: { status, ids: [...ids] },
    });
    return data.map(({ id, result, reason }) => {
      const why = reason ?? (result === "not-found" ? "there is no such device" : undefined);
      return { id, result, ...(why === undefined ? {} : { reason: why }) };
    });
  } catch (error) {
    if (!(error instanceof LacksOperation)) throw error;
  }
  const results: Result[] = [];
  for (const id of ids) results.push(await decideOnKeyOf(api, id, status));
  return results;
}

/** Decides on the newest key of a device, as every server can. */
async function decideOnKeyOf(api: Api, id: string, status: Decision): Promise<Result> {
  try {
    const { data } = await api.call("get", "/api/management/v2/devauth/devices/{id}", { params: { id } });
    const sets = [...data.auth_sets].sort((a, b) => (a.ts < b.ts ? 1 : -1));
    const set = sets.find((one) => one.status === "pending") ?? sets[0];
    if (set === undefined) return { id, result: "refused", reason: "it has no key to decide on" };
    if (set.status === status) return { id, result: "unchanged" };
    await api.call("put", "/api/management/v2/devauth/devices/{id}/auth/{set}/status", {
      params: { id, set: set.id },
      body: { status },
    });
    return { id, result: "changed" };
  } catch (error) {
    if (error instanceof ApiError && error.exit !== EXIT.denied)
      return { id, result: "refused", reason: error.message };
    throw error;
  }
}
