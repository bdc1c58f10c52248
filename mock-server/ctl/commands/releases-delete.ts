import { LacksOperation } from "../api.ts";
import type { Ctl } from "../context.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { counted } from "../output/texts.ts";
import { requireRelease } from "../releases.ts";

interface DeleteOptions {
  readonly release: readonly string[];
  readonly yes?: boolean;
}

/** Deletes releases. */
export async function releasesDelete({ release: names, yes }: DeleteOptions, ctl: Ctl): Promise<ExitCode> {
  const api = await ctl.api();
  const releases = [];
  for (const name of names) releases.push(await requireRelease(api, name));
  const artifacts = releases.flatMap((release) => release.artifacts);
  const question = `Delete ${names.join(", ")} with ${counted(artifacts.length, "artifact")}?`;
  if (!(await ctl.confirmed(question, yes))) return EXIT.error;
  try {
    await api.call("delete", "/api/management/v2/deployments/deployments/releases", { query: { name: [...names] } });
  } catch (error) {
    if (!(error instanceof LacksOperation)) throw error;
    for (const { id } of artifacts) {
      await api.call("delete", "/api/management/v1/deployments/artifacts/{id}", { params: { id } });
    }
  }
  ctl.say(`Deleted: ${names.join(", ")}`);
  return EXIT.ok;
}
