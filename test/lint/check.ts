// npm run lint: refuses imports that point up between the rooms of the house, and objects that can lose a key.
import { join } from "node:path";
import { wrongArrows } from "./floors.ts";
import { losableKeys } from "./outside-keys.ts";

const root = join(import.meta.dirname, "../..");
const wrong = [...wrongArrows(root), ...losableKeys(root)];
for (const line of wrong) process.stderr.write(`${line}\n`);
if (wrong.length > 0) process.exitCode = 1;
