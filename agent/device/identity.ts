import { AgentError } from "../errors.ts";
import type { ProgramSystem } from "../programs/program.ts";
import { type LineEnds, outputOf, parseLines, shown } from "./programs.ts";

/**
 * The device's identity: the output of its identity program, as the JSON text that an authorisation request
 * carries (keys sorted, a key that came several times as a list).
 * @param signal Ends the program when aborted.
 * @throws AgentError `program-failed` or `identity-malformed`.
 */
export async function readIdentity(system: ProgramSystem, program: string, signal?: AbortSignal): Promise<string> {
  return identityIn(await outputOf(system, program, signal), program);
}

/**
 * The identity as upkeep sends it, and as a Mender client of 4.0 or newer sends it, which keeps the CR of lines that end
 * with CR LF (one of the 3.x line does not).
 * @throws AgentError `program-failed` or `identity-malformed`.
 */
export async function readIdentities(
  system: ProgramSystem,
  program: string,
): Promise<{ readonly ours: string; readonly menderFour: string }> {
  const output = await outputOf(system, program);
  return { ours: identityIn(output, program), menderFour: identityIn(output, program, "lf") };
}

function identityIn(output: Buffer, program: string, ends: LineEnds = "crlf"): string {
  const { lines, fault, inexact } = parseLines(output, ends);
  if (fault !== undefined) {
    throw new AgentError("identity-malformed", `${program} wrote ${shown(fault)}, which is not key=value`);
  }
  // A changed identity could be another device's.
  if (inexact[0] !== undefined) {
    throw new AgentError("identity-malformed", `${program} wrote ${inexact[0]}: an identity must be sent as it is`);
  }
  if (lines.size === 0)
    throw new AgentError("identity-malformed", `${program} wrote nothing that identifies the device`);
  return JSON.stringify(Object.fromEntries([...lines].sort(([a], [b]) => (a < b ? -1 : 1))));
}
