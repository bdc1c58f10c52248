// npm run docs: write the generated parts of agent/README.md, the handbook of scenarios, their JSON Schema, the
// WebAssembly decoders, the types of the API and the pages of the manual afresh.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { apiTypes } from "../../mock-server/api-types/generate.ts";
import { scenarioJsonSchemaText } from "../../mock-server/scenarios/file/index.ts";
import { API_TYPES, apiDocument } from "./api-document.ts";
import { regenerated } from "./generated.ts";
import { handbookText, SCENARIOS } from "./handbook.ts";
import { manuals } from "./manuals/manuals.ts";
import { WASM, wasmPath, wasmText } from "./wasm.ts";

const readme = join(import.meta.dirname, "../../agent/README.md");
writeFileSync(readme, regenerated(readFileSync(readme, "utf8")));
writeFileSync(join(SCENARIOS, "scenario.schema.json"), scenarioJsonSchemaText());
writeFileSync(join(SCENARIOS, "README.md"), handbookText());
for (const source of WASM) writeFileSync(wasmPath(source), wasmText(source));
writeFileSync(API_TYPES, await apiTypes(await apiDocument()));
for (const [path, text] of await manuals()) writeFileSync(path, text);
