import type { DeviceDeploymentStatus } from "@upkeep/shared/protocol";
import type { Sample } from "./simulation.ts";

const WIDTH = 960;
const HEIGHT = 420;
const MARGIN = { left: 72, right: 150, top: 44, bottom: 44 } as const;
const DAY_MS = 86_400_000;

/** From the bottom to the top; statuses that never occur are left out. */
const LAYERS: readonly (readonly [status: DeviceDeploymentStatus, colour: string])[] = [
  ["success", "#2e8b57"],
  ["already-installed", "#8fbc8f"],
  ["failure", "#c0392b"],
  ["aborted", "#8e44ad"],
  ["noartifact", "#7f8c8d"],
  ["decommissioned", "#bdc3c7"],
  ["rebooting", "#e67e22"],
  ["installing", "#f1c40f"],
  ["downloading", "#3498db"],
  ["pending", "#d6e4f0"],
];

const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const shown = (value: number): string => value.toFixed(1);

/** A round number of which about four fit into `most`. */
function step(most: number): number {
  const raw = Math.max(most / 4, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  return ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10) * power;
}

/** Devices by status over time, as areas that stand on each other: one SVG document. */
export function plotStatuses(samples: readonly Sample[], title: string): string {
  const lastMs = Math.max(samples.at(-1)?.atMs ?? 0, 1);
  const totals = samples.map(({ statuses }) => LAYERS.reduce((sum, [status]) => sum + (statuses[status] ?? 0), 0));
  const most = Math.max(...totals, 1);
  const [width, height] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const x = (atMs: number): number => MARGIN.left + (atMs / lastMs) * width;
  const y = (count: number): number => MARGIN.top + height - (count / most) * height;
  const below = samples.map(() => 0);
  const areas: string[] = [];
  const legend: string[] = [];
  for (const [status, colour] of LAYERS) {
    if (!samples.some(({ statuses }) => statuses[status] > 0)) continue;
    const lower = samples.map(({ atMs }, index) => `${shown(x(atMs))},${shown(y(below[index] ?? 0))}`);
    const upper = samples.map(({ atMs, statuses }, index) => {
      below[index] = (below[index] ?? 0) + statuses[status];
      return `${shown(x(atMs))},${shown(y(below[index] ?? 0))}`;
    });
    areas.push(`<polygon fill="${colour}" points="${[...upper, ...lower.reverse()].join(" ")}"/>`);
    const at = MARGIN.top + 18 * legend.length;
    const end = samples.at(-1)?.statuses[status] ?? 0;
    legend.push(
      `<rect x="${WIDTH - MARGIN.right + 14}" y="${at}" width="12" height="12" fill="${colour}"/>` +
        `<text x="${WIDTH - MARGIN.right + 32}" y="${at + 10}">${escaped(status)}: ${end}</text>`,
    );
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${MARGIN.left}" y="24" font-size="15">${escaped(title)}</text>`,
    ...areas,
    ...heightAxis(most, y),
    ...timeAxis(lastMs, x),
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}

function heightAxis(most: number, y: (count: number) => number): string[] {
  const every = step(most);
  const lines: string[] = [];
  for (let count = 0; count <= most; count += every) {
    lines.push(
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${shown(y(count))}" y2="${shown(y(count))}" stroke="#00000022"/>`,
      `<text x="${MARGIN.left - 8}" y="${shown(y(count) + 4)}" text-anchor="end">${count}</text>`,
    );
  }
  return lines;
}

function timeAxis(lastMs: number, x: (atMs: number) => number): string[] {
  const days = lastMs / DAY_MS;
  const [unitMs, unit] = days > 2 ? [DAY_MS, "d"] : [3_600_000, "h"];
  const every = Math.max(1, Math.ceil(lastMs / unitMs / 14));
  const lines: string[] = [];
  for (let at = 0; at * unitMs <= lastMs * 1.001; at += every) {
    lines.push(
      `<text x="${shown(x(at * unitMs))}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${at} ${unit}</text>`,
    );
  }
  return lines;
}
