import type { Ctl } from "../context.ts";
import { usage } from "../failure.ts";
import { DEFAULT_PROFILE, readProfiles, writeProfiles } from "../profiles.ts";

/** Forgets a profile. */
export async function profileRemove({ name }: { readonly name: string }, ctl: Ctl): Promise<undefined> {
  const { current, profiles } = await readProfiles(ctl.system);
  const rest = new Map(profiles);
  if (!rest.delete(name)) throw usage(`there is no profile ${JSON.stringify(name)}`);
  await writeProfiles(ctl.system, { current: current === name ? DEFAULT_PROFILE : current, profiles: rest });
  ctl.say(`Profile ${name} is forgotten.`);
}
