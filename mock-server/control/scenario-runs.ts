import { Readable } from "node:stream";
import * as z from "zod";
import { type Route, route } from "../api/route.ts";
import { fields } from "../api/validation.ts";
import { conflict, invalid } from "../errors.ts";

/** What is told of a run while it goes on. */
export type ScenarioLine =
  | { readonly kind: "begins"; readonly scenario: string; readonly why: string; readonly expected: readonly string[] }
  /** Something happened, `at_ms` after the start. */
  | {
      readonly kind: "happens";
      readonly at_ms: number;
      readonly device?: string;
      readonly text: string;
      readonly tone: string;
    }
  | {
      readonly kind: "ends";
      readonly outcome: string;
      readonly simulated_ms: number;
      readonly verdicts: readonly { readonly expected: string; readonly met: boolean; readonly got: string }[];
    }
  /** The run itself failed. */
  | { readonly kind: "breaks"; readonly error: string };

/** A run of all cases of a scenario file in virtual time. */
export type ScenarioRun = (tell: (line: ScenarioLine) => void) => Promise<void>;

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
        const tell = (line: ScenarioLine): void => {
          if (!stream.destroyed) stream.push(`${JSON.stringify(line)}\n`);
        };
        run(tell)
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
