import { durationMs } from "@upkeep/shared/text";
import { usage } from "./failure.ts";

/** A phase as the API takes it. */
export interface NewPhase {
  /** Percent of the devices; the last phase takes the rest. */
  readonly batch_size?: number;
  readonly start_ts?: string;
  readonly success_threshold?: number;
  readonly error_threshold?: number;
}

export interface Thresholds {
  readonly success?: number | undefined;
  readonly error?: number | undefined;
}

/**
 * Phases as people write them: `10%,50%@2h,rest@1d`. Behind `@` is when the phase begins: a time from now on, or an
 * instant such as 2026-03-01T12:00Z.
 * @throws CtlError (usage) that names the phase
 */
export function parsePhases(text: string, nowMs: number, { success, error }: Thresholds = {}): readonly NewPhase[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.map((part, index) => {
    const [, share = "", start] = /^(rest|\d{1,3}%)(?:@(.+))?$/.exec(part) ?? [];
    const isLast = index === parts.length - 1;
    if (share === "" || (share === "rest" && !isLast)) {
      const right = isLast ? "must be such as 50%, 50%@2h, rest or rest@1d" : "must be such as 10% or 50%@2h";
      throw usage(`--phases: phase ${index + 1} ${JSON.stringify(part)}: ${right}`);
    }
    if (start === undefined && index > 0) {
      throw usage(`--phases: phase ${index + 1} ${JSON.stringify(part)}: must say when it begins, such as ${share}@2h`);
    }
    return {
      ...(share === "rest" ? {} : { batch_size: Number(share.slice(0, -1)) }),
      ...(start === undefined ? {} : { start_ts: startOf(part, start, nowMs) }),
      ...(success === undefined ? {} : { success_threshold: success }),
      ...(error === undefined ? {} : { error_threshold: error }),
    };
  });
}

function startOf(part: string, start: string, nowMs: number): string {
  const delayMs = durationMs(start);
  const ms = delayMs === undefined ? Date.parse(start) : nowMs + delayMs;
  const hasZone = delayMs !== undefined || /(?:z|[+-]\d\d:?\d\d)$/i.test(start);
  if (!Number.isNaN(ms) && hasZone) return new Date(ms).toISOString();
  throw usage(
    `--phases: ${JSON.stringify(part)}: behind @ must be a time such as 2h, or an instant with its zone: 2026-03-01T12:00Z`,
  );
}
