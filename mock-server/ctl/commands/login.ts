import { printable } from "@upkeep/shared/text";
import { isTerminalInput } from "../../system/password-input.ts";
import { environmentVariable } from "../../system/usage.ts";
import { type Api, ApiError, LacksOperation } from "../api.ts";
import { chosenProfile, contentOf, namedServer, namedToken, serverUrl, tlsOf } from "../connection.ts";
import type { Ctl } from "../context.ts";
import { usage } from "../failure.ts";
import { menderCliServer, menderCliToken } from "../mender-cli.ts";
import { passwordFor } from "../password.ts";
import { type Profile, readProfiles, writeProfiles } from "../profiles.ts";

interface LoginOptions {
  readonly user?: string;
  readonly passwordFile?: string;
  readonly "2faCode"?: string;
  readonly importMenderCli?: boolean;
}

/** Keeps a session, or a token, in a profile. */
export async function login(options: LoginOptions, ctl: Ctl): Promise<undefined> {
  const { system, options: globals } = ctl;
  const profiles = await readProfiles(system);
  const name = chosenProfile(globals, profiles);
  const known = profiles.profiles.get(name);
  const imported = options.importMenderCli === true;
  const server =
    namedServer(globals) ??
    (imported ? await importedServer(ctl) : undefined) ??
    known?.server ??
    serverUrl("server", await asked("Server (URL): ", "--server URL"));
  const own = known?.server === server ? known : undefined;
  const tls = await tlsOf(system, globals, own);
  const given = imported ? await menderCliToken(system) : await namedToken(system, globals);
  const anonymous = ctl.apiOf({ server, tls });
  const [token, user] = given === undefined ? await session(options, anonymous, ctl, own) : [given, undefined];
  const who = await checked(ctl.apiOf({ server, token, tls }), user);
  const ca = globals.ca === undefined ? own?.ca : await contentOf(system, "ca", globals.ca);
  const profile: Profile = {
    server,
    token,
    ...(who === undefined ? {} : { user: who }),
    ...(ca === undefined ? {} : { ca }),
    ...(tls.skipVerify ? { insecure: true } : {}),
  };
  await writeProfiles(system, { current: name, profiles: new Map([...profiles.profiles, [name, profile]]) });
  ctl.say(`Logged in to ${server}${who === undefined ? "" : ` as ${printable(who)}`}, in profile ${name}.`);
}

async function importedServer({ system }: Ctl): Promise<string | undefined> {
  const server = await menderCliServer(system);
  return server === undefined ? undefined : serverUrl("the server of mender-cli's configuration", server);
}

async function asked(question: string, instead: string): Promise<string> {
  if (!isTerminalInput()) throw usage(`standard input is no terminal that could be asked: ${instead}`);
  const { promptForLine } = await import("../../system/line-input.ts");
  return await promptForLine(question);
}

/** Logs in with a password. @returns The token, and whose it is */
async function session(
  { user, passwordFile, "2faCode": code }: LoginOptions,
  api: Api,
  ctl: Ctl,
  profile: Profile | undefined,
): Promise<readonly [token: string, user: string]> {
  const email =
    user ?? environmentVariable("UPKEEP_USER") ?? profile?.user ?? (await asked("E-mail address: ", "--user EMAIL"));
  const password = await passwordFor(ctl, {
    file: passwordFile,
    variable: "UPKEEP_PASSWORD",
    question: `Password of ${email}: `,
  });
  const answer = await api.send({
    method: "POST",
    url: api.urlOf("/api/management/v1/useradm/auth/login"),
    headers: {
      authorization: `Basic ${Buffer.from(`${email}:${password}`).toString("base64")}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(code === undefined ? {} : { token2fa: code }),
  });
  if (answer.status === 401) {
    answer.cancel();
    throw new ApiError(401, "address or password is wrong");
  }
  return [(await api.checked(answer)).trim(), email];
}

/** Whose token it is, as far as the server tells. @throws ApiError if it is worthless */
async function checked(api: Api, user: string | undefined): Promise<string | undefined> {
  try {
    const { data } = await api.call("get", "/api/management/v1/useradm/auth/session");
    return data.user?.email ?? user;
  } catch (error) {
    if (!(error instanceof LacksOperation)) throw error;
  }
  const me = { params: { id: "me" } } as const;
  return (await api.call("get", "/api/management/v1/useradm/users/{id}", me)).data.email;
}
