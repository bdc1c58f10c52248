import type { Logger } from "@upkeep/shared/logging";
import type { InventoryAttribute } from "@upkeep/shared/protocol";
import { isSystemError, type System } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { outputOf, type ParsedLines, parseLines } from "./programs.ts";

const PREFIX = "mender-inventory-";
const VERSION = "mender_client_version";

export interface InventoryOptions {
  /** Directory of the inventory programs; missing is the same as empty. */
  readonly directory: string;
  /** Of this program, such as `0.1.0`. */
  readonly version: string;
  /** Attributes that the agent knows itself, such as the device type and all provides. */
  readonly known: Readonly<Record<string, string>>;
  readonly log: Logger;
}

type InventorySystem = Pick<System, "files" | "processes" | "timers">;

/** Paths of the inventory programs, in the order of their names. */
async function programsIn(system: InventorySystem, directory: string): Promise<string[]> {
  try {
    const programs: string[] = [];
    for (const { name } of await system.files.list(directory)) {
      const path = `${directory}/${name}`;
      if (name.startsWith(PREFIX) && (await system.files.isExecutable(path))) programs.push(path);
    }
    return programs;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}

async function linesOf(system: InventorySystem, program: string, log: Logger): Promise<ParsedLines | undefined> {
  try {
    return parseLines(await outputOf(system, program));
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    log.warning(`inventory program skipped: ${error.message}`);
    return undefined;
  }
}

/**
 * The device's inventory, sorted by name: what the inventory programs say, run one after the other, laid
 * over what the agent knows itself. A program that fails is skipped; of one that writes a bad line, the lines
 * before it count.
 * @throws AgentError `inventory-empty` if there are programs and every one failed.
 */
export async function collectInventory(
  system: InventorySystem,
  options: InventoryOptions,
): Promise<InventoryAttribute[]> {
  const { directory, version, known, log } = options;
  const found = new Map<string, string[]>();
  const programs = await programsIn(system, directory);
  let failed = 0;
  for (const program of programs) {
    const parsed = await linesOf(system, program, log);
    if (parsed === undefined) {
      failed++;
      continue;
    }
    if (parsed.fault !== undefined) {
      log.warning(
        `${program} wrote '${parsed.fault.slice(0, 100)}', which is not key=value; its later lines are ignored`,
      );
    }
    for (const [key, value] of parsed.lines) found.set(key, [...(found.get(key) ?? []), ...[value].flat()]);
  }
  if (programs.length > 0 && failed === programs.length) {
    throw new AgentError("inventory-empty", `every inventory program in ${directory} failed`, { retryable: true });
  }
  const provider = found.has(VERSION) ? "external" : "internal";
  const attributes = new Map<string, string | string[]>([
    ...Object.entries(known),
    [VERSION, version],
    [`${VERSION}_provider`, provider],
    ...[...found].map(([key, values]): [string, string | string[]] => [
      key,
      values.length === 1 ? (values[0] ?? "") : values,
    ]),
  ]);
  return [...attributes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value }));
}
