import { durationText } from "../../run/wording.ts";
import { escaped, shortened } from "./escape.ts";
import type { Bar, Lane, Mark } from "./lanes.ts";
import { markShape } from "./marks.ts";

const ROW = 18;
const BAR = 15;
const MARKS = 16;
const NOTE = 15;
/** Unmet expectations that a lane shows as text. */
const NOTES_MAX = 4;
/** Narrower bars, and marks closer to each other, are merged: they could not be told apart. */
const BAR_WIDTH_MIN = 0.5;
const MARK_WIDTH = 9;
const MARK_BESIDE = 10;
const CONTACT_WIDTH = 2;
const CHARACTER = 6.3;
const TITLES_MAX = 4;

/** The mark of an unmet expectation: its position and text. */
export interface Failure {
  readonly lane: number;
  readonly atMs: number;
  readonly text: string;
  readonly got: string;
}

export interface PlacedLane {
  readonly lane: Lane;
  readonly failures: readonly Failure[];
  readonly top: number;
  readonly bottom: number;
}

type Scale = (atMs: number) => number;

/** Lanes from top to bottom, each as high as its content. */
export function placedLanes(lanes: readonly Lane[], failures: readonly Failure[], top: number): PlacedLane[] {
  let at = top;
  return lanes.map((lane, index) => {
    const mine = failures.filter((failure) => failure.lane === index);
    const notes = Math.min(mine.length, NOTES_MAX + 1) * NOTE;
    const bottom = at + 6 + Math.max(lane.rows.length, 1) * ROW + MARKS + notes;
    const placed = { lane, failures: mine, top: at, bottom };
    at = bottom;
    return placed;
  });
}

const one = (value: number): string => `${Math.round(value * 10) / 10}`;

/** The content of a lane without its name and its unmet expectations. */
export function laneShapes({ lane, failures, top }: PlacedLane, x: Scale): string[] {
  const y = marksY(lane, top);
  return [
    ...lane.rows.flatMap((bars, row) => barShapes(bars, x, barY(top, row))),
    contactShapes(lane.contacts, x, y),
    ...markShapes([...lane.marks, ...failures.map(failureMark)], x, y),
  ];
}

const barY = (top: number, row: number): number => top + 4 + row * ROW;

/** Vertical centre of a lane's marks. */
function marksY({ rows }: Lane, top: number): number {
  return barY(top, Math.max(rows.length, 1)) + MARKS / 2;
}

const failureMark = ({ atMs, text, got }: Failure): Mark => ({ atMs, kind: "failure", text: `${text}, got ${got}` });

function barShapes(bars: readonly Bar[], x: Scale, y: number): string[] {
  return bars.flatMap(({ fromMs, untilMs, colour, text }) => {
    const [from, width] = [x(fromMs), x(untilMs) - x(fromMs)];
    if (width < BAR_WIDTH_MIN) return [];
    const title = escaped(`${text}, ${durationText(fromMs)} to ${durationText(untilMs)}`);
    const place = `x="${one(from)}" y="${y}" width="${one(width)}" height="${BAR}"`;
    return [`<rect class="c-${colour}" ${place}><title>${title}</title></rect>`];
  });
}

/** Labels of the bars that are wide enough, drawn over the cuts of the axis. */
export function barLabels({ lane, top }: PlacedLane, x: Scale): string[] {
  return lane.rows.flatMap((bars, row) =>
    bars.flatMap(({ fromMs, untilMs, colour, text }) => {
      const room = x(untilMs) - x(fromMs) - 4;
      // The end of the text is the most useful part: `first: success`.
      const label = [text, text.slice(text.indexOf(": ") + 1).trim()].find((said) => said.length * CHARACTER < room);
      if (label === undefined) return [];
      const kind = colour === "down" ? "dark" : "bar";
      return [`<text class="on-${kind}" x="${one(x(fromMs) + 3)}" y="${barY(top, row) + 11}">${escaped(label)}</text>`];
    }),
  );
}

/** A dot for each exchange with the server; dots at the same position are merged. */
function contactShapes(contacts: readonly number[], x: Scale, y: number): string {
  const places = [...new Set(contacts.map((atMs) => Math.round(x(atMs) / CONTACT_WIDTH) * CONTACT_WIDTH))];
  return places.length === 0 ? "" : `<path class="contact" d="${places.map((at) => `M${at} ${y - 2}v4`).join("")}"/>`;
}

/** Overlapping marks of one kind become one with a count; those of several kinds are placed side by side. */
function markShapes(marks: readonly Mark[], x: Scale, y: number): string[] {
  const places = new Map<string, { readonly mark: Mark; readonly texts: string[] }>();
  for (const mark of marks) {
    const key = `${mark.kind} ${Math.round(x(mark.atMs) / MARK_WIDTH)}`;
    const place = places.get(key) ?? { mark, texts: [] };
    places.set(key, place);
    place.texts.push(`${durationText(mark.atMs)}: ${mark.text}`);
  }
  let taken = { at: Number.NEGATIVE_INFINITY, kind: "" };
  return [...places.values()]
    .sort((a, b) => a.mark.atMs - b.mark.atMs)
    .map(({ mark: { atMs, kind }, texts }) => {
      const place = x(atMs);
      const isFree = taken.kind === kind || place >= taken.at + MARK_BESIDE;
      const at = isFree ? place : Math.min(taken.at + MARK_BESIDE, place + 2 * MARK_BESIDE);
      taken = { at, kind };
      const said = texts.slice(0, TITLES_MAX).join("\n");
      const more = texts.length > TITLES_MAX ? `\nand ${texts.length - TITLES_MAX} more` : "";
      return `<g><title>${escaped(said + more)}</title>${markShape(kind, at, y)}</g>`;
    });
}

/** The text of an unmet expectation at its moment. */
export function failureNotes(
  { lane, failures, top }: PlacedLane,
  x: Scale,
  { left, right }: { readonly left: number; readonly right: number },
): string[] {
  const y = marksY(lane, top) + MARKS / 2 + NOTE - 3;
  const lines = failures.slice(0, NOTES_MAX).map(({ atMs, text }, index) => {
    const at = x(atMs);
    const [toTheRight, toTheLeft] = [right - at, at - left];
    const isRight = toTheRight >= toTheLeft || toTheRight > text.length * CHARACTER;
    const room = Math.floor((isRight ? toTheRight : toTheLeft) / CHARACTER) - 1;
    const place = isRight ? `x="${one(at + 4)}"` : `x="${one(at - 4)}" text-anchor="end"`;
    const bottom = y + index * NOTE;
    return (
      `<line class="failure" x1="${one(at)}" x2="${one(at)}" y1="${top + 2}" y2="${bottom + 2}"/>` +
      `<text class="note" ${place} y="${bottom}">${shortened(text, room)}</text>`
    );
  });
  if (failures.length <= NOTES_MAX) return lines;
  const rest = `and ${failures.length - NOTES_MAX} more, in the list above`;
  return [...lines, `<text class="note" x="${left}" y="${y + NOTES_MAX * NOTE}">${rest}</text>`];
}
