import type { Ctl } from "../context.ts";
import { agoText } from "../output/texts.ts";
import { allUsers, roleOf } from "../users.ts";

/** Lists users. */
export async function usersList(_: object, ctl: Ctl): Promise<undefined> {
  const users = await allUsers(await ctl.api());
  const nowMs = ctl.system.clock.now();
  ctl.printTable(
    users,
    [
      { title: "USER", text: ({ email }) => email, least: 12 },
      { title: "ROLE", text: roleOf, least: 6 },
      { title: "ID", text: ({ id }) => id.slice(0, 8) },
      { title: "MADE", text: ({ created_ts: made }) => agoText(made, nowMs) },
    ],
    "There are no users.",
  );
}
