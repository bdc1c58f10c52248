import { isSystemError, type System } from "@upkeep/shared/system";
import type { Recording } from "../../scenarios/recording/format.ts";
import { absolutePath } from "../../system/environment.ts";
import { CommandError } from "../failure.ts";

/** The recording in a file. @throws CommandError */
export async function recordingIn(system: System, path: string): Promise<Recording> {
  const { readRecording, RecordingError } = await import("../../scenarios/recording/format.ts");
  try {
    return await readRecording(system.files, absolutePath(path), path);
  } catch (error) {
    if (error instanceof RecordingError) throw new CommandError(error.message);
    if (isSystemError(error)) throw new CommandError(`${path}: cannot be read: ${error.message}`);
    throw error;
  }
}
