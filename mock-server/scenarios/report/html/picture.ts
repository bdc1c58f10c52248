import type { RunResult } from "../../run/result.ts";
import type { Verdict } from "../../run/verdict.ts";
import { durationText } from "../../run/wording.ts";
import { type Axis, axisOf } from "./axis.ts";
import { escaped, shortened } from "./escape.ts";
import type { Lane } from "./lanes.ts";
import { markShape } from "./marks.ts";
import { clockText } from "./moment.ts";
import { barLabels, type Failure, failureNotes, laneShapes, placedLanes } from "./shapes.ts";

export const WIDTH = 1120;
const LEFT = 128;
const RIGHT = 24;
const AXIS_HEIGHT = 54;
const NAME_MAX = 17;

/** Unmet expectations with the lane and the moment of their marks. */
export function failuresOf({ verdicts, simulatedMs }: RunResult, lanes: readonly Lane[]): Failure[] {
  const names = new Set(lanes.slice(1).map(({ name }) => name));
  return verdicts.flatMap((verdict: Verdict, index): Failure[] => {
    const { met, device, atMs = simulatedMs, expected } = verdict;
    if (met) return [];
    const lane =
      device === undefined ? 0 : names.has(device) ? lanes.findIndex((one, at) => at > 0 && one.name === device) : 0;
    return [{ lane, atMs, text: `${index + 1}: expected ${expected}`, got: verdict.got }];
  });
}

/** The timeline of a run as one SVG element: a lane for the server, and one for each device. */
export function pictureOf(result: RunResult, lanes: readonly Lane[], id: string): string {
  const failures = failuresOf(result, lanes);
  const axis = axisOf(momentsOf(lanes, failures), result.simulatedMs, LEFT, WIDTH - RIGHT);
  const placed = placedLanes(lanes, failures, AXIS_HEIGHT);
  const height = placed.at(-1)?.bottom ?? AXIS_HEIGHT;
  const right = WIDTH - RIGHT;
  return [
    `<svg class="picture" viewBox="0 0 ${WIDTH} ${height + 6}" role="img" aria-labelledby="${id}-title ${id}-desc">`,
    `<title id="${id}-title">${escaped(`Timeline of ${result.scenario.scenario}`)}</title>`,
    `<desc id="${id}-desc">${escaped(description(result, lanes, failures))}</desc>`,
    ...placed.map(
      ({ top, bottom, lane }, index) =>
        `<rect class="${index % 2 === 0 ? "lane" : "lane odd"}" x="0" y="${top}" width="${WIDTH}" height="${bottom - top}"/>` +
        `<text class="name" x="8" y="${top + 17}"><title>${escaped(lane.name)}</title>${shortened(lane.name, NAME_MAX)}</text>`,
    ),
    ...axis.ticks.map(
      ({ x }) => `<line class="grid" x1="${one(x)}" x2="${one(x)}" y1="${AXIS_HEIGHT - 6}" y2="${height}"/>`,
    ),
    ...placed.flatMap((lane) => laneShapes(lane, axis.x)),
    ...axis.breaks.map(({ x }) => breakBand(x, height)),
    ...placed.flatMap((lane) => [...barLabels(lane, axis.x), ...failureNotes(lane, axis.x, { left: LEFT, right })]),
    ...axisShapes(axis, result.scenario.starts, right),
    "</svg>",
  ].join("\n");
}

const one = (value: number): string => `${Math.round(value * 10) / 10}`;

function momentsOf(lanes: readonly Lane[], failures: readonly Failure[]): number[] {
  const moments = new Set(failures.map(({ atMs }) => atMs));
  for (const { rows, marks } of lanes) {
    for (const { fromMs, untilMs } of rows.flat()) moments.add(fromMs).add(untilMs);
    // Otherwise a device that fails to reach its server for a night would fill the axis.
    for (const [index, { atMs, kind }] of marks.entries())
      if (marks[index - 1]?.kind !== kind || marks[index + 1]?.kind !== kind) moments.add(atMs);
  }
  return [...moments];
}

function description(
  { simulatedMs, outcome }: RunResult,
  lanes: readonly Lane[],
  failures: readonly Failure[],
): string {
  const count = lanes.length - 1;
  const what = `A lane for the server and ${count === 1 ? "one for the device" : `${count} for devices`}, over ${durationText(simulatedMs)}.`;
  const missed = failures.map(({ text, atMs, got }) => `${text}, got ${got} (at ${durationText(atMs)})`);
  return [what, outcome === "passed" ? "Everything went as expected." : "Not as expected.", ...missed].join(" ");
}

/** A cut of the picture: a band in the colour of the page, with an edge on both sides. */
function breakBand(x: number, height: number): string {
  const edge = (dx: number): string => {
    const points: string[] = [];
    for (let y = AXIS_HEIGHT - 12, side = 0; y <= height + 6; y += 6, side = 1 - side)
      points.push(`${one(x + dx + (side === 0 ? -1.5 : 1.5))} ${y}`);
    return points.join("L");
  };
  const [left, right] = [edge(-3), edge(3)];
  return (
    `<path class="gap" d="M${left}L${right.split("L").reverse().join("L")}Z"/>` +
    `<path class="edge" d="M${left}M${right}"/>`
  );
}

function axisShapes({ ticks, breaks }: Axis, startMs: number, right: number): string[] {
  return [
    `<text class="axis" x="8" y="14">after the start</text><text class="axis faint" x="8" y="28">clock (UTC)</text>`,
    `<line class="base" x1="${LEFT}" x2="${right}" y1="${AXIS_HEIGHT - 6}" y2="${AXIS_HEIGHT - 6}"/>`,
    ...ticks.map(({ x, atMs }, index) => {
      const anchor = index === 0 ? "start" : index === ticks.length - 1 ? "end" : "middle";
      const at = `x="${one(x)}" text-anchor="${anchor}"`;
      return (
        `<text class="axis" ${at} y="14">${durationText(atMs)}</text>` +
        `<text class="axis faint" ${at} y="28">${clockText(atMs, startMs)}</text>`
      );
    }),
    ...breaks.map(({ x, text }) => `<text class="axis break" x="${one(x)}" y="41" text-anchor="middle">${text}</text>`),
  ];
}

/** A single mark or bar, for the legend. */
export function sample(shape: Parameters<typeof markShape>[0] | { readonly colour: string }): string {
  const inside =
    typeof shape === "string"
      ? markShape(shape, 8, 8)
      : `<rect class="c-${shape.colour}" x="1" y="2" width="14" height="12"/>`;
  return `<svg class="sample" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">${inside}</svg>`;
}
