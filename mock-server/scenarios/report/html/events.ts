import type { RunResult } from "../../run/result.ts";
import { durationText } from "../../run/wording.ts";
import { lineText, type StoryLine, storyOf } from "../story.ts";
import { escaped } from "./escape.ts";
import { clockText } from "./moment.ts";

/** Lines at the beginning and at the end of the table; the lines between them are only counted. */
const FIRST_MAX = 300;
const LAST_MAX = 100;
const TEXT_MAX = 500;

/** The story of the server and of these devices, as an expandable table. */
export function eventsTable({ events, scenario }: RunResult, devices: ReadonlySet<string>): string {
  const lines = storyOf(events).filter(({ device }) => device === undefined || devices.has(device));
  const row = (line: StoryLine): string => {
    const { atMs, device, tone } = line;
    const text = lineText(line, scenario.starts);
    return (
      `<tr><td class="time">${durationText(atMs)}</td><td class="time">${clockText(atMs, scenario.starts)}</td>` +
      `<td>${escaped(device ?? "server")}</td><td${tone === "bad" || tone === "fault" ? ' class="bad"' : ""}>${escaped(text.slice(0, TEXT_MAX))}</td></tr>`
    );
  };
  const leftOut = lines.length - FIRST_MAX - LAST_MAX;
  const rows =
    leftOut <= 0
      ? lines.map(row)
      : [
          ...lines.slice(0, FIRST_MAX).map(row),
          `<tr><td colspan="4" class="faint">${leftOut} more events are left out here</td></tr>`,
          ...lines.slice(-LAST_MAX).map(row),
        ];
  return [
    `<details><summary>Events (${lines.length})</summary>`,
    '<table><thead><tr><th scope="col">after the start</th><th scope="col">clock (UTC)</th><th scope="col">who</th><th scope="col">what</th></tr></thead><tbody>',
    ...rows,
    "</tbody></table></details>",
  ].join("\n");
}
