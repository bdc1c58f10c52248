import type { ArtifactSink } from "@upkeep/shared/artifact/write";
import { printable } from "@upkeep/shared/text";
import { ArtifactCommandError, type ArtifactContext } from "./run.ts";

/** True if the path of an output stands for standard output. */
export function isStandardOutput(path: string): boolean {
  return path === "-";
}

/** Standard output as what an artifact is written to, front to back. Nothing else may be written there. */
export function standardOutputSink({ out }: ArtifactContext): ArtifactSink {
  if (out.isTerminal) {
    throw new ArtifactCommandError("usage", "--output-path -: an artifact is not written to a terminal");
  }
  return {
    write: (data, position) => {
      if (position !== undefined) throw new Error("standard output has no positions");
      return out.writeBytes(data);
    },
  };
}

/** Tell what was written: on standard error, if standard output has the artifact itself. */
export function tellWritten(
  { out, error }: ArtifactContext,
  json: boolean,
  facts: { readonly path: string; readonly size: number; readonly name?: string; readonly signed: boolean },
  text: string,
): void {
  const toOutput = isStandardOutput(facts.path);
  const line = printable(toOutput ? text : `${facts.path}: ${text}`);
  (toOutput ? error : out).write(json ? `${JSON.stringify(facts, null, 2)}\n` : `${line}\n`);
}
