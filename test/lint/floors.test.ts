import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { wrongArrows } from "./floors.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "upkeep-floors-"));
  for (const workspace of ["shared", "agent", "mock-server"]) mkdirSync(join(root, workspace));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function plant(path: string, code: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), `${code}\n`);
}

test("no arrow of this repository points up", () => {
  expect(wrongArrows(join(import.meta.dirname, "../.."))).toEqual([]);
});

const UP = {
  "a static import": 'import { Daemon } from "../daemon/daemon.ts";',
  "an import of a type": 'import type { Daemon } from "../daemon/daemon.ts";',
  "an import over several lines": 'import {\n  type Daemon,\n  Other,\n} from "../daemon/daemon.ts";',
  "an import for its effect": 'import "../daemon/daemon.ts";',
  "a re-export": 'export { Daemon } from "../daemon/daemon.ts";',
  "a re-export of everything": 'export * from "../daemon/daemon.ts";',
  "a dynamic import": 'export const later = () => import("../daemon/daemon.ts");',
  "a dynamic import over several lines": 'export const later = () =>\n  import(\n    "../daemon/daemon.ts"\n  );',
  "a type of an import": 'export type Late = import("../daemon/daemon.ts").Daemon;',
};

test.each(Object.entries(UP))("refused: %s that points up", (_, code) => {
  plant("agent/config/load.ts", code);
  expect(wrongArrows(root)).toEqual([
    expect.stringMatching(
      /^agent\/config\/load\.ts:[1-4]: agent\/config \(floor 2\) imports agent\/daemon \(floor 8\)/,
    ),
  ]);
});

test("the message names the line of the import", () => {
  plant(
    "agent/config/load.ts",
    '/** import "../update/x.ts"; */\n\n// import "../server/x.ts";\nimport "../daemon/x.ts";',
  );
  expect(wrongArrows(root)).toEqual([expect.stringMatching(/^agent\/config\/load\.ts:4: /)]);
});

test.each([
  ["a room on the same floor", "mock-server/users/users.ts", "../devices/index.ts"],
  ["the agent from a room that is not the scenarios", "mock-server/api/routes.ts", "upkeep"],
  ["the agent by path, past its package", "mock-server/scenarios/run.ts", "../../agent/update/index.ts"],
  ["the server from the agent", "agent/cli/main.ts", "upkeep-server"],
  ["the server from shared", "shared/protocol/index.ts", "../../mock-server/errors.ts"],
  ["a higher floor of shared, by its package", "shared/system/files.ts", "@upkeep/shared/artifact"],
  ["a room without a row", "agent/daemon/daemon.ts", "../attic/index.ts"],
])("refused: %s", (_, file, specifier) => {
  plant(file, `import { x } from "${specifier}";\n\nexport const y = x;`);
  expect(wrongArrows(root)).toHaveLength(1);
});

test.each([
  ["a lower floor", "agent/daemon/daemon.ts", "../update/index.ts"],
  ["the own room", "agent/daemon/daemon.ts", "./boot.ts"],
  ["the own room through a folder", "mock-server/api/devices/poll.ts", "../route.ts"],
  ["shared from anywhere", "agent/errors.ts", "@upkeep/shared/artifact"],
  ["the agent's package from the scenarios", "mock-server/scenarios/run.ts", "upkeep"],
  ["the version out of package.json", "mock-server/cli/main.ts", "../package.json"],
  ["a package from the registry", "agent/errors.ts", "zod"],
])("allowed: %s", (_, file, specifier) => {
  plant(file, `import { x } from "${specifier}";\n\nexport const y = x;`);
  expect(wrongArrows(root)).toEqual([]);
});

test("a folder without a row is refused, though it imports nothing", () => {
  plant("mock-server/attic/box.ts", "export const box = 1;");
  expect(wrongArrows(root)).toEqual([expect.stringContaining("mock-server/attic")]);
});
