import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryDirectory } from "./system/directory.ts";

const AGENT = join(import.meta.dirname, "../../agent");
const directory = temporaryDirectory();

/** An import() of the sources, as the build has found it. */
interface DynamicImport {
  readonly importer: string;
  readonly original: string;
  /** What it leads to within the one file; `null` if it leads out of it. */
  readonly chunk: string | null;
}

/** Of each chunk, what it exports and what its `default` has. */
type Exports = Readonly<Record<string, { readonly names: readonly string[]; readonly ofDefault: readonly string[] }>>;

/** The built file, which loads all of its chunks instead of running the program. */
function loadAll(program: string): Exports {
  const start = '\nload("./start.js");\n';
  if (!program.endsWith(start)) throw new Error("the file does not end as it did when this test was written");
  const chunks = [...program.matchAll(/^(?:plain|packed)\["([^"]+)"\] = /gm)].map(([, name]) => name);
  const report = join(directory, "exports.json");
  const file = join(directory, "all.cjs");
  const instead = `
    const all = {};
    for (const name of ${JSON.stringify(chunks)}) {
      const found = load(name);
      all[name] = { names: Object.keys(found), ofDefault: Object.keys(found.default ?? {}) };
    }
    require("node:fs").writeFileSync(${JSON.stringify(report)}, JSON.stringify(all));
  `;
  writeFileSync(file, program.slice(0, -start.length + 1) + instead);
  // Those that begin the program read the command line.
  const { status, stderr } = spawnSync(process.execPath, [file, "--version"], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(readFileSync(report, "utf8"));
}

/** How an import() may be written, and the names that are used of it then. */
type Use = { readonly names: readonly string[]; readonly form: "named" | "whole" };

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** All uses of one import() in its importer's source. @throws Error if one is written in a way not known here. */
function usesOf({ importer, original }: DynamicImport): Use[] {
  const source = readFileSync(join(AGENT, importer), "utf8");
  const call = `import\\("${escaped(original)}"\\)`;
  const found = [...source.matchAll(new RegExp(`(?<!typeof )${call}`, "g"))].length;
  const uses: Use[] = [];
  for (const [, name = ""] of source.matchAll(new RegExp(`\\(await ${call}\\)\\.(\\w+)`, "g")))
    uses.push({ form: "named", names: [name] });
  for (const [, names = ""] of source.matchAll(new RegExp(`const \\{ ([^}]+) \\} = await ${call};`, "g")))
    uses.push({ form: "named", names: names.split(",").map((name) => name.split(":")[0]?.trim() ?? "") });
  // It is there for what it does.
  for (const _ of source.matchAll(new RegExp(`^ *await ${call};$`, "gm"))) uses.push({ form: "named", names: [] });
  // Handed on: whoever gets it uses what the names after it say.
  const handedOn = new RegExp(`const \\{ ([^}]+) \\} = \\w+\\(await ${call}\\);`, "g");
  for (const [, names = ""] of source.matchAll(handedOn))
    uses.push({ form: "whole", names: names.split(",").map((name) => name.trim()) });
  const returned = new RegExp(`function (\\w+)\\(\\): Promise<typeof ${call}> \\{\\s+return await ${call};`);
  const [, giver] = returned.exec(source) ?? [];
  if (giver !== undefined) {
    const names = [...source.matchAll(new RegExp(`\\(await ${giver}\\(\\)\\)\\.(\\w+)`, "g"))].map(
      ([, name = ""]) => name,
    );
    for (const [, more = ""] of source.matchAll(new RegExp(`const \\{ ([^}]+) \\} = await ${giver}\\(\\);`, "g")))
      names.push(...more.split(",").map((name) => name.trim()));
    expect(names).not.toEqual([]);
    uses.push({ form: "named", names });
  }
  if (uses.length !== found) throw new Error(`${importer}: an import("${original}") is used in a way not known here`);
  return uses;
}

describe("the agent's one file", () => {
  let imports: readonly DynamicImport[];
  let exported: Exports;

  beforeAll(() => {
    const file = join(AGENT, "dist/upkeep.cjs");
    if (!existsSync(file)) throw new Error("run npm run build first");
    imports = JSON.parse(readFileSync(join(dirname(file), "imports.json"), "utf8"));
    exported = loadAll(readFileSync(file, "utf8"));
  });

  it("loads every chunk that it has", () => {
    expect(Object.keys(exported).length).toBeGreaterThan(30);
  });

  it("has what each import() of the sources leads to, with every name that is used of it", () => {
    expect(imports.length).toBeGreaterThan(20);
    const missing = imports.flatMap((one) => {
      const chunk = one.chunk === null ? undefined : exported[one.chunk];
      const line = `${one.importer}: import("${one.original}")`;
      if (chunk === undefined) return [`${line} leads to nothing`];
      return usesOf(one).flatMap(({ form, names }) =>
        names
          .filter((name) => !chunk.names.includes(name) && !(form === "whole" && chunk.ofDefault.includes(name)))
          .map((name) => `${line} has no ${name}, but ${chunk.names.join(", ")}`),
      );
    });
    expect(missing).toEqual([]);
  });

  it("is one byte a character, so that V8 keeps it as such", () => {
    expect(readFileSync(join(AGENT, "dist/upkeep.cjs"), "utf8")).not.toMatch(/[^\0-\x7f]/);
  });
});
