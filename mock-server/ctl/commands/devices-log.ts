import { printableLines } from "@upkeep/shared/text";
import type { Shown } from "../../api-types/operations.ts";
import type { Answered, Api } from "../api.ts";
import type { Ctl } from "../context.ts";
import { findDeployment } from "../deployments.ts";
import { findDevice } from "../devices.ts";
import { CtlError } from "../failure.ts";

interface LogOptions {
  readonly device: string;
  readonly deployment?: string;
  readonly attempt?: number;
  readonly level?: "debug" | "info" | "warning" | "error";
}

const PATH = "/api/management/v1/deployments/deployments/{id}/devices/{device}/log";
const HISTORY = 20;

/** Prints the log that a device sent. */
export async function devicesLog(
  { device: word, deployment, attempt, level }: LogOptions,
  ctl: Ctl,
): Promise<undefined> {
  const api = await ctl.api();
  const device = await findDevice(api, word);
  const id = deployment === undefined ? await lastWithLog(api, device) : (await findDeployment(api, deployment)).id;
  const query = { ...(attempt === undefined ? {} : { attempt }), ...(level === undefined ? {} : { level }) };
  const params = { id, device };
  if (!ctl.json) {
    const answer = await api.send({ method: "GET", url: api.urlOf(PATH, params, query) });
    const text = await api.checked(answer);
    ctl.print(printableLines(text.replace(/\n$/, "")));
    return;
  }
  for (let after: number | undefined = 0; after !== undefined; ) {
    const { data }: Answered<Shown<typeof PATH>> = await api.call("get", PATH, {
      params,
      query: { ...query, format: "json", after },
    });
    if (typeof data !== "object") throw new CtlError(`${api.server} has logs as text alone: leave out --json`);
    for (const message of data.messages) ctl.printJsonLine(message);
    after = data.next;
  }
}

/** The newest deployment of which the device has sent a log. */
async function lastWithLog(api: Api, device: string): Promise<string> {
  const { data } = await api.call("get", "/api/management/v1/deployments/deployments/devices/{device}", {
    params: { device },
    query: { per_page: HISTORY },
  });
  const entry = data.find((one) => one.device.log);
  if (entry !== undefined) return entry.deployment.id;
  throw new CtlError(
    `the device has sent no log of its last ${HISTORY} deployments: devices send one when an update fails`,
  );
}
