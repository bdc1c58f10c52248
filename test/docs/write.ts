// npm run docs: write the generated parts of README.md, and the JSON Schema of scenarios, afresh.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scenarioJsonSchemaText } from "../../mock-server/scenarios/file/index.ts";
import { regenerated } from "./generated.ts";

const readme = join(import.meta.dirname, "../../README.md");
writeFileSync(readme, regenerated(readFileSync(readme, "utf8")));
writeFileSync(join(import.meta.dirname, "../scenarios/scenario.schema.json"), scenarioJsonSchemaText());
