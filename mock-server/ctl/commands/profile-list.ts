import { chosenProfile } from "../connection.ts";
import type { Ctl } from "../context.ts";
import { readProfiles } from "../profiles.ts";

/** Lists the profiles, without their tokens. */
export async function profileList(_: object, ctl: Ctl): Promise<undefined> {
  const profiles = await readProfiles(ctl.system);
  const current = chosenProfile(ctl.options, profiles);
  const rows = [...profiles.profiles].map(([name, { server, user, token }]) => ({
    name,
    server,
    user: user ?? "",
    current: name === current,
    logged_in: token !== undefined,
  }));
  ctl.printTable(
    rows,
    [
      { title: "", text: (row) => (row.current ? "*" : "") },
      { title: "PROFILE", text: ({ name }) => name, paint: (text, row, { bold }) => (row.current ? bold(text) : text) },
      { title: "SERVER", text: ({ server }) => server, least: 12 },
      { title: "USER", text: ({ user, logged_in }) => (logged_in ? user || "(a token)" : "(logged out)"), least: 8 },
    ],
    "There are no profiles; 'upkeepctl login --server URL' makes one.",
  );
}
