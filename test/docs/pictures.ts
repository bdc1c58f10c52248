// npm run docs:pictures: takes the pictures of the console afresh that mock-server/README.md shows.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { PICTURES } from "../mock-server/console/browser.ts";

const ROOT = join(import.meta.dirname, "../..");
const SHOWN = join(ROOT, "mock-server/console/pictures");
const NAMES = ["overview", "device", "deployment"];

const test = ["vitest", "run", "--project", "all", "test/mock-server/console/console.test.ts"];
execFileSync("npx", test, { cwd: ROOT, stdio: "inherit" });
mkdirSync(SHOWN, { recursive: true });
for (const name of NAMES) copyFileSync(join(PICTURES, `${name}-light.png`), join(SHOWN, `${name}.png`));
