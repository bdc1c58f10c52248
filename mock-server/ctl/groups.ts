import type { Listed } from "../api-types/operations.ts";
import type { Api } from "./api.ts";
import { CtlError } from "./failure.ts";

export type SavedFilter = Listed<"/api/management/v2/inventory/filters">;

/** The saved filter of this name or id; `undefined` if there is none. @throws LacksOperation */
export async function savedFilter(api: Api, word: string): Promise<SavedFilter | undefined> {
  for await (const page of api.pages("/api/management/v2/inventory/filters")) {
    const found = page.find(({ id, name }) => name === word || id === word);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** @throws CtlError if there is no such filter */
export async function requireFilter(api: Api, word: string): Promise<SavedFilter> {
  const filter = await savedFilter(api, word);
  if (filter === undefined) throw new CtlError(`there is no filter ${JSON.stringify(word)}`);
  return filter;
}
