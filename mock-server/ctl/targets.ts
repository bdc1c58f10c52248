import type { Api } from "./api.ts";
import { LacksOperation } from "./api.ts";
import { allDevices, findDevices } from "./devices.ts";
import { CtlError, usage } from "./failure.ts";
import { parseFilter, type Term } from "./filter.ts";
import { savedFilter } from "./groups.ts";
import { counted } from "./output/texts.ts";

/** Whom a deployment means. */
export type Targets =
  | { readonly kind: "all" }
  | { readonly kind: "group"; readonly name: string }
  | { readonly kind: "filter"; readonly id: string; readonly name: string }
  | { readonly kind: "devices"; readonly ids: readonly string[]; readonly why: string };

export interface TargetOptions {
  readonly to?: string;
  readonly device?: readonly string[];
  readonly filter?: string;
}

const ACCEPTED: Term = { scope: "identity", attribute: "status", type: "$eq", value: "accepted" };

/** @throws CtlError if none or several kinds of targets are named, or no device is meant */
export async function targetsOf(api: Api, { to, device = [], filter }: TargetOptions): Promise<Targets> {
  const words = device.flatMap((word) => word.split(",")).filter((word) => word !== "");
  if ([to !== undefined, words.length > 0, filter !== undefined].filter(Boolean).length !== 1) {
    throw usage("say whom it is for: one of --to all, --to GROUP, --device ID, --filter NAME or --filter CONDITIONS");
  }
  if (to !== undefined) return to === "all" ? { kind: "all" } : { kind: "group", name: to };
  if (filter === undefined) {
    const ids = await findDevices(api, words);
    return { kind: "devices", ids, why: counted(ids.length, "device") };
  }
  return (await saved(api, filter)) ?? (await matching(api, filter));
}

async function saved(api: Api, word: string): Promise<Targets | undefined> {
  try {
    const found = await savedFilter(api, word);
    return found === undefined ? undefined : { kind: "filter", id: found.id, name: found.name };
  } catch (error) {
    if (error instanceof LacksOperation) return undefined;
    throw error;
  }
}

/** The accepted devices that meet conditions now. */
async function matching(api: Api, expression: string): Promise<Targets> {
  if (/^[\w-]+$/.test(expression)) throw new CtlError(`there is no filter ${JSON.stringify(expression)}`);
  const terms = parseFilter(expression);
  const isOfStatus = terms.some(({ scope, attribute }) => scope === "identity" && attribute === "status");
  const devices = await allDevices(api, { terms: isOfStatus ? terms : [...terms, ACCEPTED] });
  if (devices.length === 0) throw new CtlError(`no accepted device meets ${expression}`);
  return {
    kind: "devices",
    ids: devices.map(({ id }) => id),
    why: `${counted(devices.length, "device")} with ${expression}`,
  };
}

/** The targets for people. */
export function targetsText(targets: Targets): string {
  switch (targets.kind) {
    case "all":
      return "all accepted devices";
    case "group":
      return `group ${targets.name}`;
    case "filter":
      return `filter ${targets.name}, also devices that meet it later`;
    case "devices":
      return targets.why;
  }
}
