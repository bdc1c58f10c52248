/** Test controls of a running server. Loaded only with `--test-controls`. */

import type { Logger } from "@upkeep/shared/logging";
import type { ServerExtension } from "../api/application.ts";
import type { Blobs } from "../storage/blobs/index.ts";
import { type ControlledParts, TestControls } from "./controls.ts";
import { controlExtension } from "./extension.ts";
import type { ReadScenario } from "./scenario-runs.ts";

export { REQUEST_KINDS, type RequestKind } from "../faults/language/request-kinds.ts";
export { type ControlledSystem, controlledSystem, TestControls } from "./controls.ts";
export { controlExtension } from "./extension.ts";
export type { SeenRequest } from "./requests.ts";
export type { ReadScenario, ScenarioRun } from "./scenario-runs.ts";

/**
 * The control API for a server.
 * @param hosts Hosts whose requests it answers.
 * @param readScenario Reads the scenarios that it runs.
 */
export async function openControlApi(
  parts: ControlledParts & { readonly logger: Logger },
  hosts: "this-machine" | "any",
  readScenario: ReadScenario,
): Promise<{ readonly blobs: Blobs; readonly extension: ServerExtension }> {
  const controls = await TestControls.open(parts);
  return {
    blobs: controls.blobs,
    extension: controlExtension(controls, parts.domain, { hosts, readScenario, ...parts }),
  };
}
