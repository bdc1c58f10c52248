import type { Logger } from "@upkeep/shared/logging";
import type { InventoryAttribute } from "@upkeep/shared/protocol";
import { isSystemError, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { boundInventory, type FoundAttribute } from "./inventory-bounds.ts";
import { outputOf, type ParsedLines, parseLines, shown } from "./programs.ts";

const PREFIX = "mender-inventory-";
const VERSION = "mender_client_version";

export interface InventoryOptions {
  /** Of the inventory programs; of those of one name, the first counts. Missing is the same as empty. */
  readonly directories: readonly string[];
  /** Of this program, such as `0.1.0`. */
  readonly version: string;
  /** Attributes that the agent knows itself, such as the device type and all provides. */
  readonly known: Readonly<Record<string, string>>;
  readonly log: Logger;
  /** Ends the program that runs when aborted. */
  readonly signal?: AbortSignal | undefined;
}

type InventorySystem = Pick<System, "files" | "processes" | "timers">;

async function namesIn({ files }: InventorySystem, directory: string): Promise<string[]> {
  try {
    return (await files.list(directory)).map(({ name }) => name).filter((name) => name.startsWith(PREFIX));
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * Paths of the inventory programs, in the order of their names. A file of the device's own that cannot be executed
 * switches off the package's program of that name.
 */
async function programsIn(system: InventorySystem, directories: readonly string[]): Promise<string[]> {
  const paths = new Map<string, string>();
  for (const directory of directories)
    for (const name of await namesIn(system, directory)) if (!paths.has(name)) paths.set(name, `${directory}/${name}`);
  const programs: string[] = [];
  for (const [, path] of [...paths].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (await system.files.isExecutable(path)) programs.push(path);
  return programs;
}

async function linesOf(
  system: InventorySystem,
  program: string,
  { log, signal }: InventoryOptions,
): Promise<ParsedLines | undefined> {
  try {
    return parseLines(await outputOf(system, program, signal));
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof AgentError)) throw error;
    log.warning(`inventory program skipped: ${error.message}`);
    return undefined;
  }
}

/**
 * The device's inventory, sorted by name: the attributes that the inventory programs print, which override those that
 * the agent knows itself. A program that fails is skipped; of one that prints a bad line, the lines before it count.
 * An attribute that servers refuse is left out, so that the rest is accepted.
 * @throws AgentError `inventory-empty` if there are programs and every one failed.
 */
export async function collectInventory(
  system: InventorySystem,
  options: InventoryOptions,
): Promise<InventoryAttribute[]> {
  const { directories, version, known, log } = options;
  const found = new Map<string, FoundAttribute>();
  const programs = await programsIn(system, directories);
  let failed = 0;
  for (const program of programs) {
    const parsed = await linesOf(system, program, options);
    if (parsed === undefined) {
      failed++;
      continue;
    }
    for (const line of parsed.inexact) log.warning(`${program} wrote ${line}; U+FFFD is sent in its place`);
    if (parsed.fault !== undefined) {
      log.warning(`${program} wrote ${shown(parsed.fault)}, which is not key=value; its later lines are ignored`);
    }
    for (const [name, value] of parsed.lines) {
      found.set(name, { name, values: [...(found.get(name)?.values ?? []), ...[value].flat()], source: program });
    }
  }
  if (programs.length > 0 && failed === programs.length) {
    throw new AgentError("inventory-empty", `every inventory program in ${directories.join(" and ")} failed`, {
      retryable: true,
    });
  }
  const own = { ...known, [VERSION]: version, [`${VERSION}_provider`]: found.has(VERSION) ? "external" : "internal" };
  const attributes = new Map<string, FoundAttribute>([
    ...Object.entries(own).map(([name, value]) => [name, { name, values: [value], source: "the agent" }] as const),
    ...found,
  ]);
  return boundInventory([...attributes.values()], (message) => log.warning(message));
}
