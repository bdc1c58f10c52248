import type { Ctl } from "../context.ts";
import { usage } from "../failure.ts";
import { readProfiles, writeProfiles } from "../profiles.ts";

/** Chooses the profile of all following commands. */
export async function profileUse({ name }: { readonly name: string }, ctl: Ctl): Promise<undefined> {
  const { profiles } = await readProfiles(ctl.system);
  const profile = profiles.get(name);
  if (profile === undefined) {
    const known = [...profiles.keys()].join(", ");
    throw usage(`there is no profile ${JSON.stringify(name)}${known === "" ? "" : `; there are ${known}`}`);
  }
  await writeProfiles(ctl.system, { current: name, profiles });
  ctl.say(`Profile ${name}: ${profile.server}`);
}
