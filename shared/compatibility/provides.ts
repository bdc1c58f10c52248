/** The provides of a device: `artifact_name`, `device_type`, `rootfs-image.version`, … */
export type Provides = Readonly<Record<string, string>>;

/** How an installed artifact changes what the device provides. */
export interface ProvidesChange {
  readonly artifactName: string;
  /** Absent: the device leaves its group if `clears` says so, and keeps it otherwise. */
  readonly artifactGroup?: string | undefined;
  /** From the payload's type-info. Absent in artifacts of old writers. */
  readonly provides?: Provides | undefined;
  /** Patterns of keys to remove (`*`: any run of characters). Absent in artifacts of old writers. */
  readonly clears?: readonly string[] | undefined;
}

/** True if `key` matches `pattern`, in which each `*` stands for any run of characters. */
export function matchesPattern(pattern: string, key: string): boolean {
  const parts = pattern.split("*");
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (parts.length === 1) return pattern === key;
  if (key.length < first.length + last.length || !key.startsWith(first) || !key.endsWith(last)) return false;
  let from = first.length;
  const end = key.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = key.indexOf(part, from);
    if (found < 0 || found + part.length > end) return false;
    from = found + part.length;
  }
  return true;
}

/**
 * The provides of a device after it committed an artifact, by the rules of Mender: without provides and clears, all
 * are removed; with provides only, they replace all; with clears only, the matching ones are removed; with both,
 * matching ones are removed, then the new ones added. `artifact_name` is always the new one.
 */
export function applyProvides(before: Provides, change: ProvidesChange): Record<string, string> {
  const clears = change.clears ?? ["*"];
  const kept = Object.entries(before).filter(
    ([key]) => key === "artifact_name" || !clears.some((pattern) => matchesPattern(pattern, key)),
  );
  return {
    ...Object.fromEntries(kept),
    ...change.provides,
    ...(change.artifactGroup ? { artifact_group: change.artifactGroup } : {}),
    artifact_name: change.artifactName,
  };
}
