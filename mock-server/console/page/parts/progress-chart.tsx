import type { Shown } from "../api.ts";
import { TableHead } from "./frame.tsx";
import { DEVICE_STATUSES, statusText, toneOf } from "./status.tsx";
import { exact } from "./text.tsx";

type Progress = Shown<"/api/management/v1/deployments/deployments/{id}/progress">;

const WIDTH = 600;
const HEIGHT = 100;

interface Band {
  readonly status: string;
  /** Per point, where the band begins and ends, in devices. */
  readonly edges: readonly (readonly [below: number, above: number])[];
}

/** The statuses one above the other, those without devices left out. */
function bandsOf({ points }: Progress): readonly Band[] {
  const below = points.map(() => 0);
  return DEVICE_STATUSES.flatMap((status) => {
    const counts = points.map((point) => point.status[status as keyof typeof point.status] ?? 0);
    if (counts.every((count) => count === 0)) return [];
    const edges = counts.map((count, index) => {
      const from = below[index] ?? 0;
      below[index] = from + count;
      return [from, from + count] as const;
    });
    return [{ status, edges }];
  });
}

/**
 * A deployment's devices by status over time, with lines where its phases begin. Drawn without a library: it has at most
 * sixty points, and the numbers stand in the bar above it.
 */
export function ProgressChart({ progress }: { readonly progress: Progress }) {
  const { points, phases } = progress;
  const [from, to] = [Date.parse(progress.from), Date.parse(progress.to)];
  const bands = bandsOf(progress);
  const most = Math.max(1, ...bands.flatMap(({ edges }) => edges.map(([, above]) => above)));
  if (points.length < 2 || bands.length === 0) return null;
  const x = (ms: number): number => ((ms - from) / Math.max(1, to - from)) * WIDTH;
  const y = (devices: number): number => HEIGHT - (devices / most) * HEIGHT;
  const placeOf = (index: number): number => x(Date.parse(points[index]?.ts ?? progress.to));
  /** What was counted at a point holds until the next one. */
  const step = (index: number, devices: number): readonly string[] =>
    [placeOf(index), placeOf(index + 1)].map((at) => `${at.toFixed(1)},${y(devices).toFixed(1)}`);
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Devices by status over time, at most ${most}`}>
        {bands.map(({ status, edges }) => {
          const there = edges.flatMap(([, above], index) => step(index, above));
          const back = edges.flatMap(([below], index) => step(index, below)).reverse();
          return (
            <polygon key={status} class={toneOf(status)} points={[...there, ...back].join(" ")}>
              <title>{statusText(status)}</title>
            </polygon>
          );
        })}
        {phases.map(({ id, start_ts }) => {
          const at = x(Date.parse(start_ts));
          return at > 0 && at < WIDTH && <line key={id} x1={at} x2={at} y1="0" y2={HEIGHT} />;
        })}
      </svg>
      <figcaption class="hint">
        {exact(from)} to {exact(to)}
        {phases.length > 0 && "; dashed: a phase begins"}
        <details>
          <summary>As a table</summary>
          <table>
            <TableHead titles={["Time", ...bands.map(({ status }) => statusText(status))]} />
            <tbody>
              {points.map((point, index) => (
                <tr key={point.ts}>
                  <td>{exact(Date.parse(point.ts))}</td>
                  {bands.map(({ status, edges }) => {
                    const [below = 0, above = 0] = edges[index] ?? [];
                    return <td key={status}>{(above - below).toLocaleString("en")}</td>;
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      </figcaption>
    </figure>
  );
}
