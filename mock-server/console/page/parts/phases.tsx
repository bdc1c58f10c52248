import { TableHead } from "./frame.tsx";
import { exact, Time } from "./text.tsx";

/** A phase of a deployment as it is drawn. */
export interface Phase {
  /** Per cent of the devices. */
  readonly share: number;
  /** Milliseconds since the Unix epoch. */
  readonly startMs: number;
  readonly devices?: number;
  readonly state?: string | undefined;
  /** Per cent of failures that pause the deployment. */
  readonly errorPercent?: number | undefined;
  /** Per cent of successes that open the next phase. */
  readonly successPercent?: number | undefined;
}

const WIDTH = 600;
const HEIGHT = 60;
/** Room for the text above a step. */
const LABEL = 14;
const HOUR_MS = 3_600_000;

/** The phases on a time axis: each step is as high as the share of devices that may begin by then. */
export function PhaseAxis({
  phases,
  nowMs = Date.now(),
}: {
  readonly phases: readonly Phase[];
  readonly nowMs?: number;
}) {
  const begin = Math.min(nowMs, ...phases.map(({ startMs }) => startMs));
  const last = Math.max(nowMs, ...phases.map(({ startMs }) => startMs));
  const span = Math.max(HOUR_MS, (last - begin) * 1.2);
  const x = (ms: number): number => ((ms - begin) / span) * WIDTH;
  let total = 0;
  return (
    <svg class="phases" viewBox={`0 ${-LABEL} ${WIDTH} ${HEIGHT + LABEL}`} role="img" aria-label={describe(phases)}>
      {phases.map(({ share, startMs }, index) => {
        total = Math.min(100, total + share);
        const height = (total / 100) * HEIGHT;
        const next = phases[index + 1];
        const right = next === undefined ? WIDTH : x(next.startMs);
        return (
          <g key={startMs}>
            <rect x={x(startMs)} y={HEIGHT - height} width={Math.max(1, right - x(startMs))} height={height} />
            <text x={x(startMs) + 4} y={HEIGHT - height - 3}>
              {Math.round(total)} %
            </text>
          </g>
        );
      })}
      <line class="now" x1={x(nowMs)} x2={x(nowMs)} y1={-LABEL} y2={HEIGHT} />
    </svg>
  );
}

function describe(phases: readonly Phase[]): string {
  return phases.map(({ share, startMs }) => `${Math.round(share)} % from ${exact(startMs)}`).join(", ");
}

function thresholdText({ errorPercent, successPercent }: Pick<Phase, "errorPercent" | "successPercent">): string {
  return [
    ...(errorPercent === undefined ? [] : [`paused at ${errorPercent} % failures`]),
    ...(successPercent === undefined ? [] : [`the next one needs ${successPercent} % successes`]),
  ].join(", ");
}

/** The same as a table. */
export function PhaseTable({ phases }: { readonly phases: readonly Phase[] }) {
  return (
    <table>
      <TableHead titles={["Phase", "Devices", "Begins", "Thresholds", "State"]} />
      <tbody>
        {phases.map(({ share, startMs, devices, state, ...thresholds }, index) => (
          <tr key={startMs}>
            <td>{index + 1}</td>
            <td>
              {Math.round(share)} %{devices !== undefined && `, ${devices.toLocaleString("en")} so far`}
            </td>
            <td>
              <Time at={new Date(startMs).toISOString()} isExact />
            </td>
            <td>{thresholdText(thresholds)}</td>
            <td>{state ?? ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
