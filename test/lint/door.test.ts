import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

const BACK_DOORS = [
  "export const at = Date.now();",
  "export const clock = Date.now;",
  "export const at = new Date();",
  "export const chance = Math.random();",
  'import { randomUUID } from "node:crypto";\n\nexport const id = randomUUID();',
  "export const timer = setTimeout(() => undefined, 5);",
  'export const answer = fetch("http://localhost");',
  'import { readFileSync } from "node:fs";\n\nexport const text = readFileSync("/etc/hostname");',
  'import { connect } from "node:net";\n\nexport const socket = connect(1);',
  'import { spawn } from "node:child_process";\n\nexport const child = spawn("true");',
  'import axios from "axios";\n\nexport const answer = axios.get("/");',
  'process.on("SIGTERM", () => undefined);',
  "export const both = AbortSignal.any([]);",
];
const GUARDED = ["shared/artifact", "agent/daemon", "agent/update", "mock-server/deployments", "mock-server/api"];
/** A promise that nothing waits for: its statements are sent after the transaction, or its error is lost. */
const FLOATING =
  "async function later(): Promise<void> {\n  await Promise.resolve();\n}\n\nexport function start(): void {\n  later();\n}";
const WRONG_WAY = {
  "shared/protocol": 'import { x } from "upkeep";\n\nexport const y = x;',
  "agent/server": 'import { x } from "upkeep-server";\n\nexport const y = x;',
  "mock-server/devices": 'import { x } from "upkeep";\n\nexport const y = x;',
  "mock-server/users": 'import pg from "pg";\n\nexport const y = pg;',
  "mock-server/events": 'export const y = import("@aws-sdk/client-s3");',
  "mock-server/deployments/rules": 'import fastify from "fastify";\n\nexport const y = fastify;',
};
const ALLOWED = {
  "agent/system": 'import { readFileSync } from "node:fs";\n\nexport const at = [Date.now(), readFileSync("/x")];',
  "mock-server/storage": 'import pg from "pg";\n\nexport const y = pg;',
  "agent/device": "export const at = new Date(5);",
};

/** Errors of the linter by file, all files linted in one run with the project's own rules. */
let errors: ReadonlyMap<string, number>;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-lint-"));
  for (const file of ["biome.json", ".gitignore", "shared/system/door.grit", "mock-server/storage/drivers.grit"])
    cpSync(join(root, file), join(folder, file));
  const write = (path: string, code: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${code}\n`);
  };
  for (const place of GUARDED) {
    BACK_DOORS.forEach((code, index) => {
      write(`${place}/back-door-${index}.ts`, code);
    });
  }
  for (const place of GUARDED) write(`${place}/floating.ts`, FLOATING);
  for (const [place, code] of Object.entries(WRONG_WAY)) write(`${place}/wrong-way.ts`, code);
  for (const [place, code] of Object.entries(ALLOWED)) write(`${place}/allowed.ts`, code);
  const run = spawnSync(
    join(root, "node_modules/.bin/biome"),
    ["lint", "--max-diagnostics=none", "--reporter=json", folder],
    { cwd: folder, encoding: "utf8" },
  );
  const report = JSON.parse(run.stdout) as {
    diagnostics: { severity: string; location: { path: string | { file: string } } }[];
  };
  const counts = new Map<string, number>();
  for (const { severity, location } of report.diagnostics) {
    if (severity !== "error") continue;
    const path = typeof location.path === "string" ? location.path : location.path.file;
    const name = path.replace(`${folder}/`, "");
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  errors = counts;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(GUARDED)("the linter refuses every back door in %s", (place) => {
  const open = BACK_DOORS.filter((_, index) => !errors.has(`${place}/back-door-${index}.ts`));
  expect(open).toEqual([]);
});

test.each(GUARDED)("the linter refuses a promise that nothing waits for in %s", (place) => {
  expect(errors.get(`${place}/floating.ts`)).toBeGreaterThan(0);
});

test.each(Object.keys(WRONG_WAY))("arrows point down: the linter refuses the wrong import in %s", (place) => {
  expect(errors.get(`${place}/wrong-way.ts`)).toBeGreaterThan(0);
});

test.each(Object.keys(ALLOWED))("what is allowed in %s is not refused", (place) => {
  expect(errors.get(`${place}/allowed.ts`)).toBeUndefined();
});
