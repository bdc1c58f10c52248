// npm run lint: refuses imports that point up between the rooms of the house.
import { join } from "node:path";
import { wrongArrows } from "./floors.ts";

const wrong = wrongArrows(join(import.meta.dirname, "../.."));
for (const line of wrong) process.stderr.write(`${line}\n`);
if (wrong.length > 0) process.exitCode = 1;
