import { ApiError } from "../api.ts";
import type { Ctl } from "../context.ts";
import { findDevice, valueText } from "../devices.ts";
import { statusColoured } from "../output/colours.ts";
import { agoText, timeText } from "../output/texts.ts";

/** Devices' histories have short pages. */
const HISTORY = 5;

/** Shows what is known of a device. */
export async function devicesShow({ device: word }: { readonly device: string }, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const id = await findDevice(api, word);
  const named = { params: { id } } as const;
  const { data: device } = await api.call("get", "/api/management/v2/devauth/devices/{id}", named);
  const attributes = await api
    .call("get", "/api/management/v1/inventory/devices/{id}", named)
    .then(({ data }) => data.attributes)
    .catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return [];
      throw error;
    });
  const { data: history } = await api.call("get", "/api/management/v1/deployments/deployments/devices/{device}", {
    params: { device: id },
    query: { per_page: HISTORY },
  });
  if (ctl.json) {
    ctl.printJson({ ...device, attributes, deployments: history });
    return;
  }
  const nowMs = ctl.system.clock.now();
  ctl.printPairs([
    ["id", device.id],
    ["status", device.status],
    ...Object.entries(device.identity_data).map(([name, value]) => [name, valueText(value)] as const),
    ["tier", device.tier],
    ["first seen", timeText(device.created_ts)],
    ["last contact", seenText(device, nowMs)],
    ...device.auth_sets.map((set) => ["key", `${set.status}, ${set.id.slice(0, 8)}, ${timeText(set.ts)}`] as const),
  ]);
  const shown = attributes.filter(({ scope }) => scope !== "identity");
  if (shown.length > 0) {
    ctl.print("");
    ctl.print(
      ctl.tableOf(shown, [
        { title: "SCOPE", text: ({ scope }) => scope },
        { title: "ATTRIBUTE", text: ({ name }) => name, least: 12 },
        { title: "VALUE", text: ({ value }) => valueText(value), least: 12 },
      ]),
    );
  }
  if (history.length === 0) return;
  ctl.print("");
  ctl.print(
    ctl.tableOf(history, [
      { title: "DEPLOYMENT", text: ({ deployment }) => deployment.id.slice(0, 8) },
      { title: "RELEASE", text: ({ deployment }) => deployment.artifact_name, least: 8 },
      {
        title: "STATUS",
        text: (entry) => entry.device.status,
        paint: (text, entry, colours) => statusColoured(text, entry.device.status, colours),
      },
      { title: "REASON", text: (entry) => entry.device.reason ?? "", least: 8 },
      { title: "WHEN", text: (entry) => agoText(entry.device.finished ?? entry.device.created, nowMs) },
    ]),
  );
}

function seenText(
  { last_contact_ts: seen, overdue }: { readonly last_contact_ts?: string; readonly overdue?: true },
  nowMs: number,
): string | undefined {
  return seen === undefined ? undefined : `${agoText(seen, nowMs)}${overdue ? ", overdue" : ""}`;
}
