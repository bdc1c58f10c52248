import type { RunMode } from "../../faults/index.ts";
import type { Scenario } from "../file/index.ts";
import type { RunEvent } from "./events.ts";
import type { Verdict } from "./verdict.ts";

/** `skipped`: the scenario is not possible in this mode, nothing was run. `interrupted`: it was stopped before its end. */
export type Outcome = "passed" | "failed" | "skipped" | "interrupted";

/** How a run of a scenario went, whatever way it was run in. */
export interface RunResult {
  readonly scenario: Scenario;
  /** Where it was read from. */
  readonly file: string;
  readonly mode: RunMode;
  readonly outcome: Outcome;
  readonly verdicts: readonly Verdict[];
  readonly events: readonly RunEvent[];
  /** What each device runs at the end. */
  readonly software: ReadonlyMap<string, string>;
  /** How long the scenario took by its own clock, in milliseconds. */
  readonly simulatedMs: number;
  /** How long it took to run it, in milliseconds. */
  readonly tookMs: number;
  /** SHA-256 over the trace of a simulated run: two runs are the same if it is the same. */
  readonly traceHash?: string;
  /** How many runs had this trace (`--repeat`). */
  readonly repeats?: number;
  /** Why it was skipped or interrupted, and problems that no expectation is about. */
  readonly notes?: readonly string[];
}
