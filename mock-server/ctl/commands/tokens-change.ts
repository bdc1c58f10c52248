import type { Ctl } from "../context.ts";
import { parseDuration } from "../durations.ts";
import { CtlError } from "../failure.ts";

const TOKENS = "/api/management/v1/useradm/settings/tokens";

/** Makes a personal access token and prints it. */
export async function tokensCreate(
  { name, expiresIn }: { readonly name: string; readonly expiresIn?: string },
  ctl: Ctl,
): Promise<undefined> {
  const seconds = expiresIn === undefined ? undefined : parseDuration("expires-in", expiresIn) / 1000;
  const api = await ctl.api();
  const body = { name, ...(seconds === undefined ? {} : { expires_in: seconds }) };
  const { data } = await api.call("post", TOKENS, { body });
  const token = String(data).trim();
  if (ctl.json) ctl.printJson({ name, token });
  else ctl.print(token);
}

/** Makes a personal access token worthless. */
export async function tokensRevoke({ name: word }: { readonly name: string }, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const { data: tokens } = await api.call("get", TOKENS);
  const found = tokens.filter(({ id, name }) => name === word || id.startsWith(word));
  const [token, ...others] = found;
  if (token === undefined) throw new CtlError(`there is no token ${JSON.stringify(word)}`);
  if (others.length > 0)
    throw new CtlError(`${JSON.stringify(word)} means several tokens: ${found.map(({ name }) => name).join(", ")}`);
  await api.call("delete", `${TOKENS}/{id}`, { params: { id: token.id } });
  ctl.say(`Token ${token.name} is worthless now.`);
}
