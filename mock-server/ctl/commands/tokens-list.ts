import type { Ctl } from "../context.ts";
import { agoText, timeText } from "../output/texts.ts";

/** Lists one's personal access tokens. */
export async function tokensList(_: object, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const { data: tokens } = await api.call("get", "/api/management/v1/useradm/settings/tokens");
  const nowMs = ctl.system.clock.now();
  ctl.printTable(
    tokens,
    [
      { title: "TOKEN", text: ({ name }) => name, least: 12 },
      { title: "ID", text: ({ id }) => id.slice(0, 8) },
      { title: "USED", text: ({ last_used: used }) => agoText(used, nowMs) || "never" },
      { title: "VALID UNTIL", text: ({ expiration_date: until }) => timeText(until) ?? "revoked" },
    ],
    "There are no tokens; 'upkeepctl tokens create NAME' makes one.",
  );
}
