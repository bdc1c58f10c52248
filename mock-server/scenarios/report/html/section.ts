import type { RunEvent } from "../../run/events.ts";
import type { Outcome, RunResult } from "../../run/result.ts";
import { durationText, momentText } from "../../run/wording.ts";
import { escaped } from "./escape.ts";
import { eventsTable } from "./events.ts";
import { deviceLane, serverLane } from "./lanes.ts";
import { legendOf } from "./legend.ts";
import { pictureOf } from "./picture.ts";
import { deviceOf, leftOutText, shownDevices } from "./shown.ts";

export const SIGNS = {
  passed: '<span class="good sign">✔ passed</span>',
  failed: '<span class="bad sign">✘ failed</span>',
  skipped: '<span class="faint sign">– not possible here</span>',
  interrupted: '<span class="bad sign">✘ interrupted</span>',
} as const satisfies Readonly<Record<Outcome, string>>;

/** One run: its expectations and results, and its timeline. @param id Unique in the page. */
export function sectionOf(result: RunResult, id: string): string {
  const { scenario, outcome, notes = [] } = result;
  return [
    `<section id="${id}" aria-labelledby="${id}-head">`,
    `<h2 id="${id}-head">${SIGNS[outcome]} ${escaped(scenario.scenario)}</h2>`,
    `<p>${escaped(scenario.why)}</p>`,
    `<p class="faint">${escaped(factsOf(result))}</p>`,
    ...notes.map((note) => `<p class="${outcome === "skipped" ? "faint" : "bad"}">${escaped(note)}</p>`),
    verdictsTable(result),
    ...(result.events.length === 0 ? ["<p>Nothing happened.</p>"] : timeline(result, id)),
    "</section>",
  ].join("\n");
}

function factsOf({ file, mode, scenario, simulatedMs, software, traceHash }: RunResult): string {
  return [
    file,
    mode,
    `seed ${scenario.seed}`,
    `${software.size} ${software.size === 1 ? "device" : "devices"}`,
    durationText(simulatedMs),
    ...(traceHash === undefined ? [] : [`trace ${traceHash.slice(0, 16)}`]),
  ].join(" · ");
}

function verdictsTable({ verdicts, scenario }: RunResult): string {
  const rows = verdicts.map(({ met, expected, got, atMs, device }, index) => {
    const where = met ? [] : [device, atMs === undefined ? undefined : momentText(atMs, scenario.starts)];
    const place = where.filter((part) => part !== undefined).join(", ");
    return (
      `<tr><td>${index + 1}</td><td class="sign ${met ? "good" : "bad"}">${met ? "✔ passed" : "✘ failed"}</td>` +
      `<td>${escaped(expected)}</td><td>${escaped(got)}${place === "" ? "" : `<br><span class="faint">${escaped(place)}</span>`}</td></tr>`
    );
  });
  if (rows.length === 0) return "<p>Nothing was judged.</p>";
  return `<table><thead><tr><th scope="col">#</th><th scope="col">verdict</th><th scope="col">expected</th><th scope="col">got</th></tr></thead><tbody>\n${rows.join("\n")}\n</tbody></table>`;
}

function timeline(result: RunResult, id: string): string[] {
  const shown = shownDevices(result);
  const byDevice = eventsByDevice(result.events);
  const lanes = [
    serverLane(result),
    ...shown.devices.map((name) => deviceLane(name, byDevice.get(name) ?? [], result.simulatedMs)),
  ];
  const leftOut = leftOutText(shown);
  return [
    `<div class="scroll">${pictureOf(result, lanes, id)}</div>`,
    legendOf(lanes, result.outcome !== "passed"),
    '<p class="faint">Time is not to scale: the longer nothing changes, the more it is shortened; a cut across the picture tells how long it was. The upper bar of a device is its status at the server, the lower one what its agent does.</p>',
    ...(leftOut === undefined ? [] : [`<p>${escaped(leftOut)}</p>`]),
    eventsTable(result, new Set(shown.devices)),
  ];
}

function eventsByDevice(events: readonly RunEvent[]): ReadonlyMap<string, readonly RunEvent[]> {
  const found = new Map<string, RunEvent[]>();
  for (const event of events)
    for (const device of deviceOf(event)) {
      const mine = found.get(device);
      if (mine === undefined) found.set(device, [event]);
      else mine.push(event);
    }
  return found;
}
