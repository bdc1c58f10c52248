/** A phase as it is edited. */
export interface DraftPhase {
  /** Per cent of the devices; of the last phase, what the others leave. */
  readonly percent: number;
  /** Hours after the first phase. */
  readonly afterHours: number;
  /** Per cent of the phase's devices: as many failures pause the deployment. */
  readonly errorPercent?: number | undefined;
  /** Per cent of the phase's devices: as many successes are needed before the next phase opens. Not of the last phase. */
  readonly successPercent?: number | undefined;
}

/** A plan has at least one phase. */
export type Plan = readonly DraftPhase[];

export const HOUR_MS = 3_600_000;
export const DAY_H = 24;
const FIRST_PERCENT = 10;

/** All devices may begin at once. */
export const ONE_PHASE: Plan = [{ percent: 100, afterHours: 0 }];

/** The last phase takes what the others leave, and opens nothing. */
function completed(phases: Plan): Plan {
  const given = phases.slice(0, -1).reduce((sum, { percent }) => sum + percent, 0);
  return phases.map((phase, index) => {
    const { successPercent: _, ...rest } = phase;
    return index === phases.length - 1 ? { ...rest, percent: Math.max(0, 100 - given) } : phase;
  });
}

/** Changes one phase. */
export function changed(phases: Plan, index: number, part: Partial<DraftPhase>): Plan {
  return completed(phases.map((phase, at) => (at === index ? { ...phase, ...part } : phase)));
}

/** One phase more: the last one is split, and its second half begins a day later. */
export function split(phases: Plan): Plan {
  const last = phases.at(-1) ?? { percent: 100, afterHours: 0 };
  const first = { ...last, percent: phases.length === 1 ? FIRST_PERCENT : Math.max(1, Math.floor(last.percent / 2)) };
  return completed([...phases.slice(0, -1), first, { ...last, afterHours: last.afterHours + DAY_H }]);
}

/** One phase fewer; the hours of the others count from the first that is left. */
export function without(phases: Plan, index: number): Plan {
  const left = phases.filter((_, at) => at !== index);
  const beginH = left[0]?.afterHours ?? 0;
  return completed(left.map((phase) => ({ ...phase, afterHours: phase.afterHours - beginH })));
}

/** The share of devices that may begin once each phase is open. */
export function totals(phases: Plan): readonly number[] {
  let total = 0;
  return phases.map(({ percent }) => {
    total += percent;
    return total;
  });
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

function within(value: number, { min, max }: Range): number {
  return Math.min(max, Math.max(min, value));
}

/** The hours at which a phase may begin: after the one before it, before the next. @param endH End of the axis. */
export function hoursRange(phases: Plan, index: number, endH: number): Range {
  return { min: phases[index - 1]?.afterHours ?? 0, max: phases[index + 1]?.afterHours ?? endH };
}

export function begunAt(phases: Plan, index: number, hours: number, endH: number): Plan {
  return changed(phases, index, { afterHours: within(hours, hoursRange(phases, index, endH)) });
}

/** The total that may be reached by a phase: each phase keeps one per cent. */
export function totalRange(phases: Plan, index: number): Range {
  const all = totals(phases);
  return { min: (all[index - 1] ?? 0) + 1, max: (all[index + 1] ?? 101) - 1 };
}

/** Sets the share of a phase so that it and those before have `total` per cent; the next phase gives or takes the difference. */
export function grownTo(phases: Plan, index: number, total: number): Plan {
  const before = totals(phases)[index] ?? 0;
  const more = within(Math.round(total), totalRange(phases, index)) - before;
  return completed(
    phases.map((phase, at) => {
      if (at === index) return { ...phase, percent: phase.percent + more };
      return at === index + 1 ? { ...phase, percent: phase.percent - more } : phase;
    }),
  );
}

/** Why the plan cannot be sent; `undefined` if it can. */
export function faultOf(phases: Plan): string | undefined {
  if (phases.some(({ percent }) => !Number.isInteger(percent) || percent < 1)) {
    return "Each phase needs a whole number of per cent, at least 1; together the phases have 100.";
  }
  const isEarly = phases.some(({ afterHours }, index) => afterHours < (phases[index - 1]?.afterHours ?? 0));
  return isEarly ? "A phase begins before the one that precedes it." : undefined;
}
