import type { Logger } from "@upkeep/shared/logging";
import { isSystemError, type System } from "@upkeep/shared/system";
import type { Recorder } from "../scenarios/recording/recorder.ts";
import { makePrivate } from "../storage/index.ts";
import { absolutePath } from "../system/environment.ts";
import { CommandError } from "./failure.ts";

/** File for the exchanges with devices, and whether their artifacts are kept beside it. */
export interface RecordSettings {
  readonly path: string;
  readonly artifacts: boolean;
}

/** @returns `undefined` without `settings`. @throws CommandError */
export async function beginRecording(
  { clock, files }: Pick<System, "clock" | "files">,
  settings: RecordSettings | undefined,
  logger: Logger,
): Promise<Recorder | undefined> {
  if (settings === undefined) return undefined;
  const { path, artifacts } = settings;
  const { Recorder: recording } = await import("../scenarios/recording/recorder.ts");
  const onFailure = (error: unknown): void => {
    logger.error("the recording cannot go on", { error, path });
  };
  try {
    await makePrivate(files, absolutePath(path));
    return await recording.begin({ clock, files }, absolutePath(path), { artifacts, onFailure });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new CommandError(`--record ${path}: cannot be written: ${error.message}`);
  }
}
