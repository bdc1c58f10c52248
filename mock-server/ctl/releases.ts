import type { Listed } from "../api-types/operations.ts";
import type { Api } from "./api.ts";
import { LacksOperation } from "./api.ts";
import { CtlError } from "./failure.ts";

type Artifact = Listed<"/api/management/v1/deployments/artifacts">;

/** All artifacts of one name. */
export interface Release {
  readonly name: string;
  /** Device types that its artifacts are for. */
  readonly types: readonly string[];
  readonly modified: string;
  readonly artifacts: readonly Artifact[];
  readonly tags: readonly string[];
  readonly notes: string;
}

function typesOf(artifacts: readonly Artifact[]): readonly string[] {
  return [...new Set(artifacts.flatMap(({ device_types_compatible: types }) => types))].sort();
}

/** All releases, also of a server that has only the first version of their list. */
export async function allReleases(api: Api): Promise<readonly Release[]> {
  try {
    const found: Release[] = [];
    for await (const page of api.pages("/api/management/v2/deployments/deployments/releases")) {
      found.push(...page.map((release) => ({ ...release, types: typesOf(release.artifacts) })));
    }
    return found;
  } catch (error) {
    if (!(error instanceof LacksOperation)) throw error;
  }
  const { data } = await api.call("get", "/api/management/v1/deployments/deployments/releases");
  return data.map(({ Name: name, Modified: modified, Artifacts: artifacts, tags, notes }) => ({
    ...{ name, modified, artifacts, types: typesOf(artifacts) },
    ...{ tags: tags ?? [], notes: notes ?? "" },
  }));
}

/** @throws CtlError if there is no such release */
export async function requireRelease(api: Api, name: string): Promise<Release> {
  const release = (await allReleases(api)).find((one) => one.name === name);
  if (release !== undefined) return release;
  throw new CtlError(`there is no release ${JSON.stringify(name)}; 'upkeepctl releases list' lists them`);
}
