import * as z from "zod";
import { Scenario } from "./scenario.ts";

/** The JSON Schema of scenario files, for editors. */
export function scenarioJsonSchema(): unknown {
  return {
    title: "Upkeep scenario",
    ...z.toJSONSchema(Scenario, { io: "input", target: "draft-7", unrepresentable: "any", reused: "ref" }),
  };
}

/** As it is written to a file. */
export function scenarioJsonSchemaText(): string {
  return `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`;
}
