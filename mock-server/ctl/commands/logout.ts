import { ApiError, LacksOperation } from "../api.ts";
import { chosenProfile } from "../connection.ts";
import type { Ctl } from "../context.ts";
import { CtlError, EXIT } from "../failure.ts";
import { readProfiles, writeProfiles } from "../profiles.ts";

/** Ends the session of the profile. */
export async function logout(_: object, ctl: Ctl): Promise<undefined> {
  const profiles = await readProfiles(ctl.system);
  const name = chosenProfile(ctl.options, profiles);
  const { token, ...profile } = profiles.profiles.get(name) ?? { server: "" };
  if (token === undefined) throw new CtlError(`profile ${name} is not logged in`, EXIT.denied);
  const { server, ca, insecure } = profile;
  const tls = { ...(ca === undefined ? {} : { trusted: ca }), ...(insecure ? { skipVerify: true } : {}) };
  try {
    await ctl.apiOf({ server, token, tls }).call("post", "/api/management/v1/useradm/auth/logout");
  } catch (error) {
    // A token that is worthless already need not be ended.
    const isOver = error instanceof LacksOperation || (error instanceof ApiError && error.status === 401);
    if (!isOver) throw error;
  }
  const { current } = profiles;
  await writeProfiles(ctl.system, { current, profiles: new Map([...profiles.profiles, [name, profile]]) });
  ctl.say(`Logged out of ${server}.`);
}
