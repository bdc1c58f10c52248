import { given } from "@upkeep/shared/given";
import type { RunResult } from "../run/result.ts";
import { storyOf } from "./story.ts";

/** All runs as JSON for CI: expectations, results and the story of each run. */
export function jsonText(results: readonly RunResult[]): string {
  const scenarios = results.map(
    ({
      scenario,
      file,
      mode,
      outcome,
      verdicts,
      events,
      software,
      simulatedMs,
      tookMs,
      traceHash,
      repeats,
      notes,
    }) => ({
      scenario: scenario.scenario,
      why: scenario.why,
      file,
      mode,
      seed: scenario.seed,
      passed: outcome === "passed",
      outcome,
      simulated_ms: simulatedMs,
      took_ms: Math.round(tookMs),
      ...given({ trace: traceHash, repeats, notes }),
      expectations: verdicts.map(({ expected, met, got, atMs, device }) => ({
        expected,
        met,
        got,
        ...given({ at_ms: atMs, device }),
      })),
      runs: Object.fromEntries(software),
      story: storyOf(events).map(({ atMs, device, text, times, lastMs }) => ({
        at_ms: atMs,
        ...given({ device }),
        text,
        ...given({ times, last_ms: lastMs }),
      })),
    }),
  );
  return `${JSON.stringify({ passed: results.every(({ outcome }) => outcome === "passed" || outcome === "skipped"), scenarios }, null, 1)}\n`;
}
