import { readdirSync, readFileSync } from "node:fs";
import { join, posix, sep } from "node:path";

/**
 * The floors of each workspace, lowest first. A room is a folder or a file at the root of a workspace; it imports only
 * from rooms on lower floors. Rooms on one floor do not import each other.
 */
export const FLOORS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  shared: [["text", "given"], ["system", "logging"], ["protocol", "compatibility"], ["artifact"]],
  agent: [
    ["errors", "version", "system"],
    ["config"],
    ["programs"],
    ["device", "scripts", "modules"],
    ["server"],
    ["adaptive"],
    ["update"],
    ["daemon"],
    ["compose"],
    ["cli", "index"],
  ],
  "mock-server": [
    ["errors", "texts", "digest", "tokens", "system", "api-types"],
    ["storage", "faults"],
    ["devices", "releases", "users", "events"],
    ["deployments"],
    ["domain"],
    ["api", "housekeeping"],
    ["compose"],
    ["control", "console", "ctl"],
    ["scenarios"],
    ["testing", "cli", "index"],
  ],
};

/** Packages of this repository and the workspace that each one is. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@upkeep/shared": "shared",
  upkeep: "agent",
  "upkeep-server": "mock-server",
};

/** The scenarios run whole agents, which they get from the agent's package. */
const ACROSS = [{ from: "mock-server/scenarios", to: "agent/index" }];

export interface Arrow {
  readonly file: string;
  readonly line: number;
  readonly from: string;
  readonly to: string;
}

interface Floor {
  readonly workspace: string;
  readonly number: number;
}

/** Every wrong arrow below `root`, each as one line of text; empty if all arrows point down. */
export function wrongArrows(root: string): readonly string[] {
  const files = Object.keys(FLOORS).flatMap((workspace) => sourceFiles(root, workspace));
  const homeless = [...new Set(files.map(roomOf).filter((room) => floorOf(room) === undefined))].map(
    (room) => `${room}: no row in the table of floors (test/lint/floors.ts); give it one`,
  );
  const wrong = files
    .flatMap((file) => arrowsOf(file, readFileSync(join(root, file), "utf8")))
    .flatMap((arrow) => {
      const reason = refusal(arrow);
      return reason === undefined ? [] : [`${arrow.file}:${arrow.line}: ${reason}`];
    });
  return [...homeless, ...wrong];
}

function refusal({ from, to }: Arrow): string | undefined {
  const source = floorOf(from);
  const target = floorOf(to);
  if (source === undefined) return undefined;
  if (target === undefined) return `${from} imports ${to}, which has no row in the table of floors`;
  const arrow = `${from} (floor ${source.number}) imports ${to} (floor ${target.number})`;
  if (source.workspace !== target.workspace) {
    if (target.workspace === "shared" || ACROSS.some((pair) => pair.from === from && pair.to === to)) return undefined;
    return `${arrow}: ${source.workspace} imports nothing of ${target.workspace}`;
  }
  return target.number < source.number ? undefined : `${arrow}: arrows between rooms point down`;
}

/** The imports of one file that lead to another room: static, of types only, re-exported and dynamic ones. */
export function arrowsOf(file: string, text: string): readonly Arrow[] {
  const code = withoutComments(text);
  const from = roomOf(file);
  const imports = /^(?:import|export)\s(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["'`]([^"'`]+)["'`]/gm;
  return [...code.matchAll(imports)].flatMap((match) => {
    const to = targetOf(file, match[1] ?? match[2] ?? "");
    const line = code.slice(0, match.index + match[0].length).split("\n").length;
    return to === undefined || to === from ? [] : [{ file, line, from, to }];
  });
}

function targetOf(file: string, specifier: string): string | undefined {
  if (specifier.endsWith(".json")) return undefined;
  if (specifier.startsWith(".")) return roomOf(posix.join(posix.dirname(file), specifier));
  for (const [name, workspace] of Object.entries(PACKAGES)) {
    if (specifier === name) return `${workspace}/index`;
    if (specifier.startsWith(`${name}/`)) return roomOf(`${workspace}/${specifier.slice(name.length + 1)}`);
  }
  return undefined;
}

/** `mock-server/api/devices/poll.ts` is in the room `mock-server/api`, `agent/errors.ts` in `agent/errors`. */
function roomOf(path: string): string {
  const [workspace, room = "index"] = path.split("/");
  return `${workspace}/${room.replace(/\.m?tsx?$/, "")}`;
}

function floorOf(room: string): Floor | undefined {
  const [workspace = "", name = ""] = room.split("/");
  const index = FLOORS[workspace]?.findIndex((floor) => floor.includes(name)) ?? -1;
  return index < 0 ? undefined : { workspace, number: index + 1 };
}

/** Blanks comments, so that what they quote is no import; lines keep their numbers. */
function withoutComments(text: string): string {
  return text.replace(/^\s*\/\/.*$|^\s*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, " "));
}

function sourceFiles(root: string, folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ["node_modules", "dist"].includes(entry.name) ? [] : sourceFiles(root, path);
    return /\.m?tsx?$/.test(entry.name) ? [path.split(sep).join("/")] : [];
  });
}
