// npm run docs: write the generated parts of README.md afresh.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { regenerated } from "./generated.ts";

const readme = join(import.meta.dirname, "../../README.md");
writeFileSync(readme, regenerated(readFileSync(readme, "utf8")));
