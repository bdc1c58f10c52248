import { escaped } from "./escape.ts";
import type { Lane } from "./lanes.ts";
import { MARKS, type MarkKind } from "./marks.ts";
import { type Colour, MEANINGS } from "./palette.ts";
import { sample } from "./picture.ts";

/** The meanings of the colours and marks in these lanes, as a list. */
export function legendOf(lanes: readonly Lane[], hasFailures: boolean): string {
  const bars = lanes.flatMap(({ rows }) => rows.flat());
  const colours = new Set(bars.map(({ colour }) => colour));
  const marks = new Set<MarkKind>(lanes.flatMap((lane) => lane.marks.map(({ kind }) => kind)));
  if (hasFailures) marks.add("failure");
  const entries = [
    ...(Object.keys(MEANINGS) as Colour[])
      .filter((colour) => colours.has(colour))
      .map((colour) => `${sample({ colour })}${escaped(MEANINGS[colour])}`),
    ...(colours.has("down") ? [`${sample({ colour: "down" })}down`] : []),
    ...(Object.keys(MARKS) as MarkKind[])
      .filter((kind) => marks.has(kind))
      .map((kind) => `${sample(kind)}${escaped(MARKS[kind])}`),
    ...(lanes.some(({ contacts }) => contacts.length > 0) ? ["| talks with the server"] : []),
  ];
  return `<ul class="legend">${entries.map((entry) => `<li>${entry}</li>`).join("")}</ul>`;
}
