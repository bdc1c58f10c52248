import type { Listed, Operation } from "../../api-types/operations.ts";
import type { Ctl } from "../context.ts";
import { findDeployment } from "../deployments.ts";
import { statusColoured } from "../output/colours.ts";
import { agoText, shortIds, sizeText } from "../output/texts.ts";

const PATH = "/api/management/v1/deployments/deployments/{id}/devices/list";
type DeviceDeployment = Listed<typeof PATH>;

type Waiting = NonNullable<DeviceDeployment["waiting_for"]>;

const WAITING: Readonly<Record<Waiting["kind"], string>> = {
  acceptance: "waits to be accepted",
  "older-deployment": "an older deployment comes first",
  nothing: "asks no more for it",
  resume: "waits until it is resumed",
  phase: "waits for its phase",
  poll: "has not asked",
  retry: "tries again at its next poll",
};

interface DevicesOptions {
  readonly deployment: string;
  readonly status?: NonNullable<Operation<"get", typeof PATH>["parameters"]["query"]>["status"];
}

/** Lists what devices have made of a deployment. */
export async function deploymentsDevices({ deployment, status }: DevicesOptions, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const { id } = await findDeployment(api, deployment);
  const found: DeviceDeployment[] = [];
  const query = { unasked: "true", ...(status === undefined ? {} : { status }) } as const;
  for await (const page of api.pages(PATH, { params: { id }, query })) found.push(...page);
  const short = shortIds(found.map((device) => device.id));
  const nowMs = ctl.system.clock.now();
  ctl.printTable(
    found,
    [
      { title: "DEVICE", text: (device) => short(device.id) },
      {
        title: "STATUS",
        text: (device) => device.status,
        paint: (text, device, colours) => statusColoured(text, device.status, colours),
      },
      { title: "REASON", text: reasonOf, least: 10 },
      { title: "ATTEMPTS", text: ({ attempts }) => (attempts > 1 ? String(attempts) : ""), right: true },
      { title: "FETCHED", text: fetchedText, right: true },
      { title: "LOG", text: ({ log }) => (log ? "yes" : "") },
      { title: "WHEN", text: ({ finished, started, created }) => agoText(finished ?? started ?? created, nowMs) },
    ],
    "There is no such device.",
  );
}

/** What the download cost; why all of it was fetched, if it was. */
function fetchedText({ download }: DeviceDeployment): string {
  if (download === undefined) return "";
  const { fetched, needed, plain } = download;
  return `${sizeText(fetched)} of ${sizeText(needed)}${plain === undefined ? "" : ` (${plain})`}`;
}

function reasonOf({ reason, substate, waiting_for: waiting }: DeviceDeployment): string {
  return reason ?? (waiting === undefined ? (substate ?? "") : WAITING[waiting.kind]);
}
