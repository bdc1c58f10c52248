import type { Ctl } from "../context.ts";
import { sizeText, timeText } from "../output/texts.ts";
import { type Release, requireRelease } from "../releases.ts";

/** Shows a release. */
export async function releasesShow({ release: name }: { readonly release: string }, ctl: Ctl): Promise<undefined> {
  const release = await requireRelease(await ctl.api(), name);
  if (ctl.json) {
    ctl.printJson(release);
    return;
  }
  ctl.printPairs([
    ["release", release.name],
    ["changed", timeText(release.modified)],
    ["tags", release.tags.join(", ") || undefined],
    ["notes", release.notes || undefined],
  ]);
  for (const artifact of release.artifacts) {
    ctl.print("");
    ctl.printPairs(pairsOf(artifact));
  }
}

function listText(pairs: Readonly<Record<string, string | readonly string[]>>): string | undefined {
  const texts = Object.entries(pairs).map(([name, value]) => `${name}=${[value].flat().join("|")}`);
  return texts.length === 0 ? undefined : texts.join(", ");
}

function pairsOf(artifact: Release["artifacts"][number]): readonly (readonly [string, string | undefined])[] {
  const { device_type: _, ...depends } = artifact.artifact_depends ?? {};
  const payloads = artifact.updates.flatMap(({ type_info: { type }, files }) => [
    ["payload", type ?? "(none)"] as const,
    ...(files ?? []).map(({ name, size }) => ["file", `${name}, ${sizeText(size)}`] as const),
  ]);
  return [
    ["artifact", artifact.id],
    ["for", artifact.device_types_compatible.join(", ")],
    ["description", artifact.description || undefined],
    ["size", sizeText(artifact.size)],
    ["signed", artifact.signed ? "yes" : "no"],
    ["depends on", listText(depends)],
    ["provides", listText(artifact.artifact_provides ?? {})],
    ...payloads,
  ];
}
