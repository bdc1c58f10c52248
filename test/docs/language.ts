import * as z from "zod";
import { FAULT_NAMES } from "../../mock-server/faults/index.ts";
import { Deployment } from "../../mock-server/scenarios/file/deployments.ts";
import { Expectation } from "../../mock-server/scenarios/file/expectations.ts";
import { faultKeys } from "../../mock-server/scenarios/file/faults.ts";
import { Devices } from "../../mock-server/scenarios/file/fleet.ts";
import { parameterShape } from "../../mock-server/scenarios/file/parameters.ts";
import { ScenarioArtifact } from "../../mock-server/scenarios/file/releases.ts";
import { ACTIONS, TimelineEntry } from "../../mock-server/scenarios/file/timeline.ts";
import { DEVICE_EVENTS, eventShape } from "../../mock-server/scenarios/file/triggers.ts";
import { table } from "./faults.ts";

type Shape = Readonly<Record<string, unknown>>;

/** What a schema says of itself, or the one inside it. */
function meaningOf(schema: unknown): string {
  for (let inner = schema; inner instanceof z.ZodType; ) {
    if (inner.description !== undefined) return inner.description;
    if (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault)
      inner = inner.unwrap();
    else if (inner instanceof z.ZodPipe) inner = inner.in;
    else return "";
  }
  return "";
}

function keysOf(shape: Shape, without: readonly string[] = []): string {
  const rows = Object.entries(shape)
    .filter(([key]) => !without.includes(key))
    .map(([key, schema]) => [`\`${key}\``, meaningOf(schema)])
    .filter(([, meaning]) => meaning !== "");
  return table(["Key", "Meaning"], rows);
}

/** The chapter on the language of scenarios, from its schema. */
export function languageChapter(): string {
  const events = Object.keys(eventShape);
  const parts: readonly (readonly [title: string, text: string, keys: string])[] = [
    ["Parameters", "At the top of a file.", keysOf(parameterShape)],
    ["Devices", "A row of `fleet`.", keysOf(Devices.shape)],
    ["Artifacts", "An entry of `artifacts` of a release.", keysOf(ScenarioArtifact.shape)],
    ["Deployments", "An entry of `deployments`.", keysOf(Deployment.shape)],
    [
      "Events",
      "What `when` waits for, and what an expectation may name.",
      keysOf({ ...DEVICE_EVENTS, state: eventShape.state }),
    ],
    ["Steps", "An entry of `timeline`.", keysOf(TimelineEntry.shape)],
    ["Actions", "What a step may `do`.", keysOf(ACTIONS)],
    ["Conditions of faults", "Besides the fault itself.", keysOf(faultKeys, FAULT_NAMES)],
    ["Expectations", "An entry of `expect`, which may name events too.", keysOf(Expectation.shape, events)],
  ];
  const chapters = parts.map(([title, text, keys]) => `### ${title}\n\n${text}\n\n${keys}`);
  const head = [
    "## The language",
    "",
    "The schema beside this file has every key and value, for editors. An error is told with the field, the value that is",
    "there, and what would be right. The folder 15-language has an example of each construct.",
  ].join("\n");
  return [head, ...chapters].join("\n\n");
}
