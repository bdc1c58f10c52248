import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import { escaped } from "../../report/html/escape.ts";
import { COLOURS } from "../../report/html/palette.ts";
import type { Sample } from "./simulation.ts";

const WIDTH = 960;
const HEIGHT = 440;
const MARGIN = { left: 84, right: 176, top: 64, bottom: 56 } as const;
const RIGHT = WIDTH - MARGIN.right;
const FLOOR = HEIGHT - MARGIN.bottom;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Least distance of two labels. */
const MARK_WIDTH = 64;

/** From bottom to top; statuses that never occur are omitted. */
const LAYERS: readonly (readonly [status: DeviceDeploymentStatus, colour: string])[] = [
  ["success", COLOURS.good],
  ["already-installed", COLOURS.commits],
  ["failure", COLOURS.bad],
  ["aborted", COLOURS.ended],
  ["noartifact", COLOURS.rest],
  ["decommissioned", "#6b7178"],
  ["rebooting", COLOURS.reboots],
  ["installing", COLOURS.installs],
  ["downloading", COLOURS.downloads],
  ["pending", COLOURS.waits],
];

/** A labelled moment of the plot, in milliseconds after the start. */
export interface PlotMark {
  readonly atMs: number;
  readonly label: string;
}

export interface Plot {
  readonly title: string;
  readonly samples: readonly Sample[];
  /** In order of time. */
  readonly marks: readonly PlotMark[];
}

const shown = (value: number): string => value.toFixed(1);
/** Formats a number with thin spaces between thousands. */
const counted = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, "\u2009");

/** A round step that divides `most` into about four parts. */
function step(most: number): number {
  const raw = Math.max(most / 4, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  return ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10) * power;
}

/** Devices by status over time as stacked areas: one SVG document. */
export function plotStatuses({ title, samples, marks }: Plot): string {
  const lastMs = Math.max(samples.at(-1)?.atMs ?? 0, 1);
  const totals = samples.map(({ statuses }) => LAYERS.reduce((sum, [status]) => sum + (statuses[status] ?? 0), 0));
  const most = Math.max(...totals, 1);
  const x = (atMs: number): number => MARGIN.left + (atMs / lastMs) * (RIGHT - MARGIN.left);
  const y = (count: number): number => FLOOR - (count / most) * (FLOOR - MARGIN.top);
  const layers = LAYERS.filter(([status]) => samples.some(({ statuses }) => statuses[status] > 0));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#222222">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${MARGIN.left}" y="26" font-size="15">${escaped(title)}</text>`,
    ...areas(samples, layers, x, y),
    ...heightAxis(most, y),
    ...timeAxis(lastMs, x),
    ...markLines(marks, lastMs, x),
    ...legend(samples, layers),
    "</svg>",
    "",
  ].join("\n");
}

function areas(
  samples: readonly Sample[],
  layers: typeof LAYERS,
  x: (atMs: number) => number,
  y: (count: number) => number,
): string[] {
  const below = samples.map(() => 0);
  return layers.map(([status, colour]) => {
    const lower = samples.map(({ atMs }, index) => `${shown(x(atMs))},${shown(y(below[index] ?? 0))}`);
    const upper = samples.map(({ atMs, statuses }, index) => {
      below[index] = (below[index] ?? 0) + statuses[status];
      return `${shown(x(atMs))},${shown(y(below[index] ?? 0))}`;
    });
    return `<polygon fill="${colour}" points="${[...upper, ...lower.reverse()].join(" ")}"/>`;
  });
}

/** The legend, in the order of the areas from top to bottom. */
function legend(samples: readonly Sample[], layers: typeof LAYERS): string[] {
  const [left, top] = [RIGHT + 18, MARGIN.top];
  const numbers = WIDTH - 14;
  const rows = layers.toReversed().flatMap(([status, colour], row) => {
    const y = top + 12 + 20 * row;
    return [
      `<rect x="${left}" y="${y}" width="12" height="12" fill="${colour}"/>`,
      `<text x="${left + 18}" y="${y + 10}">${escaped(status)}</text>`,
      `<text x="${numbers}" y="${y + 10}" text-anchor="end">${counted(samples.at(-1)?.statuses[status] ?? 0)}</text>`,
    ];
  });
  return [`<text x="${numbers}" y="${top + 2}" text-anchor="end" fill="#666666">at the end</text>`, ...rows];
}

function heightAxis(most: number, y: (count: number) => number): string[] {
  const every = step(most);
  const lines = [
    `<text x="20" y="${(MARGIN.top + FLOOR) / 2}" text-anchor="middle" transform="rotate(-90 20 ${(MARGIN.top + FLOOR) / 2})">devices</text>`,
  ];
  for (let count = 0; count <= most; count += every) {
    lines.push(
      `<line x1="${MARGIN.left}" x2="${RIGHT}" y1="${shown(y(count))}" y2="${shown(y(count))}" stroke="#00000022"/>`,
      `<text x="${MARGIN.left - 8}" y="${shown(y(count) + 4)}" text-anchor="end">${counted(count)}</text>`,
    );
  }
  return lines;
}

function timeAxis(lastMs: number, x: (atMs: number) => number): string[] {
  const [unitMs, unit] = lastMs > 2.5 * DAY_MS ? [DAY_MS, "days"] : [HOUR_MS, "hours"];
  const every = [1, 2, 3, 6, 12, 24, 50, 100].find((one) => lastMs / unitMs / one <= 13) ?? 100;
  const lines = [
    `<text x="${shown((MARGIN.left + RIGHT) / 2)}" y="${FLOOR + 42}" text-anchor="middle">${unit} since the start</text>`,
  ];
  for (let at = 0; at * unitMs <= lastMs * 1.0001; at += every) {
    const place = shown(x(at * unitMs));
    lines.push(
      `<line x1="${place}" x2="${place}" y1="${FLOOR}" y2="${FLOOR + 5}" stroke="#222222"/>`,
      `<text x="${place}" y="${FLOOR + 20}" text-anchor="middle">${at}</text>`,
    );
  }
  return lines;
}

/** A label without room is omitted; its line stays. */
function markLines(marks: readonly PlotMark[], lastMs: number, x: (atMs: number) => number): string[] {
  let free = Number.NEGATIVE_INFINITY;
  return marks
    .filter(({ atMs }) => atMs <= lastMs)
    .flatMap(({ atMs, label }) => {
      const place = x(atMs);
      const line = `<line x1="${shown(place)}" x2="${shown(place)}" y1="${MARGIN.top - 8}" y2="${FLOOR}" stroke="#222222" stroke-dasharray="3 3"/>`;
      if (place < free) return [line];
      free = place + MARK_WIDTH;
      return [line, `<text x="${shown(place)}" y="${MARGIN.top - 13}" text-anchor="middle">${escaped(label)}</text>`];
    });
}
