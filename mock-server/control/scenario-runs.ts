import { Readable } from "node:stream";
import * as z from "zod";
import { type Route, route } from "../api/route.ts";
import { fields } from "../api/validation.ts";
import type { ScenarioLine } from "../api-types/scenario-line.ts";
import { conflict, invalid } from "../errors.ts";

/** A run of all cases of a scenario file in virtual time. The signal ends it with its reason. */
export type ScenarioRun = (tell: (line: ScenarioLine) => void, signal: AbortSignal) => Promise<void>;

/** Reads a scenario file. @throws Error with a line per fault of the text. */
export type ReadScenario = (text: string) => Promise<ScenarioRun>;

/** Scenarios have a virtual world of their own: what they do changes nothing in this server. */
export function scenarioRoutes(read: ReadScenario, base: string): Route[] {
  let isRunning = false;
  return [
    route({
      method: "POST",
      path: `${base}/scenarios/runs`,
      summary: "Run a scenario in virtual time, beside this server's records, and follow it",
      access: "public",
      body: { schema: fields({ scenario: z.string() }), tooLarge: 413 },
      answers: {
        200: { description: "A JSON object per line, as things happen", mediaType: "application/x-ndjson" },
        400: { description: "The scenario has faults: each with its line and column" },
        409: { description: "Another scenario runs" },
      },
      handle: async ({ body }) => {
        if (isRunning) throw conflict("another scenario runs: wait until it has ended");
        isRunning = true;
        const run = await read(body.scenario).catch((error: unknown) => {
          isRunning = false;
          throw invalid(error instanceof Error ? error.message : String(error));
        });
        const stream = new Readable({ read: () => undefined });
        const left = new AbortController();
        stream.once("close", () => left.abort(new Error("its client has left")));
        const tell = (line: ScenarioLine): void => {
          if (!stream.destroyed) stream.push(`${JSON.stringify(line)}\n`);
        };
        run(tell, left.signal)
          .catch((error: unknown) => tell({ kind: "breaks", error: String(error) }))
          .finally(() => {
            isRunning = false;
            stream.push(null);
          });
        return {
          status: 200,
          headers: { "content-type": "application/x-ndjson", "x-accel-buffering": "no" },
          body: { stream },
        };
      },
    }),
  ];
}
