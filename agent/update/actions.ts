import { isSystemError, removeDurably } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { type RebootAnswer, type UpdateModule, workTreePath } from "../modules/index.ts";
import { download } from "./download.ts";
import { artifactScriptsPath, moduleOf, type Run } from "./run.ts";
import type { OutcomeOf, StateName } from "./states.ts";

/** What each state does. Throwing is the outcome `failed`. */
export const ACTIONS: { readonly [S in StateName]: (run: Run) => Promise<OutcomeOf<S>> } = {
  Download: download,
  ArtifactInstall: async (run) => {
    await (await moduleOf(run)).call("ArtifactInstall");
    return "done";
  },
  NeedsArtifactReboot: async (run) => {
    run.record.reboot = await (await moduleOf(run)).needsArtifactReboot();
    if (run.record.mode === "standalone") return "standalone";
    return run.record.reboot === "No" ? "no-reboot" : "reboot";
  },
  AwaitCommit: async (run) => ((await (await moduleOf(run)).supportsRollback()) ? "wait" : "no-rollback"),
  ArtifactReboot: async (run) => {
    await reboot(run, "ArtifactReboot");
    return "done";
  },
  ArtifactVerifyReboot: async (run) => {
    await (await moduleOf(run)).call("ArtifactVerifyReboot");
    return "done";
  },
  // What it is about is its report.
  BeforeArtifactCommit: async () => "done",
  ArtifactCommit: async (run) => {
    await (await moduleOf(run)).call("ArtifactCommit");
    return "done";
  },
  // Only its scripts and its place in the journal: from here on there is no way back.
  AfterArtifactCommit: async () => "done",
  SupportsRollback: async (run) => ((await persevering(run, (module) => module.supportsRollback())) ? "yes" : "no"),
  ArtifactRollback: async (run) => {
    await persevering(run, (module) => module.call("ArtifactRollback"));
    return "done";
  },
  NeedsRollbackReboot: async (run) => {
    if (run.record.mode === "standalone") return "no-reboot";
    run.record.reboot = await persevering(run, (module) => module.needsArtifactReboot());
    return run.record.reboot === "No" ? "no-reboot" : "reboot";
  },
  ArtifactRollbackReboot: async (run) => {
    await reboot(run, "ArtifactRollbackReboot");
    return "done";
  },
  ArtifactVerifyRollbackReboot: async (run) => {
    try {
      await (await moduleOf(run)).call("ArtifactVerifyRollbackReboot");
      return "done";
    } catch (error) {
      run.signal.throwIfAborted();
      await run.options.system.timers.sleep(run.options.settings.rollbackRebootPauseMs, run.signal);
      throw error;
    }
  },
  ArtifactFailure: async (run) => {
    await persevering(run, (module) => module.call("ArtifactFailure"));
    return "done";
  },
  Cleanup: async (run) => {
    const { system, paths } = run.options;
    const tree = workTreePath(paths.datastore);
    try {
      if (run.record.artifact?.payloadType && (await system.files.status(tree)) !== undefined) {
        await (await moduleOf(run)).call("Cleanup");
      }
    } finally {
      await removeDurably(system.files, tree);
    }
    return "done";
  },
  Report: async (run) => {
    const { system, paths } = run.options;
    // Both are gone already, unless the update was given up as a loop, or its Cleanup could not.
    await removeDurably(system.files, workTreePath(paths.datastore));
    await removeDurably(system.files, artifactScriptsPath(paths.datastore));
    return "done";
  },
};

/** Pauses before a module that could not even be started on the way back is tried again. */
const START_PAUSES_MS = [1000, 5000, 30_000];

/**
 * A call of the module on the way back. That it could not be started, for a fault of the disk or of the
 * system, says nothing about what the module would have done: it is tried again before it counts as failed.
 */
async function persevering<T>(run: Run, call: (module: UpdateModule) => Promise<T>): Promise<T> {
  for (const pauseMs of START_PAUSES_MS) {
    try {
      return await call(await moduleOf(run));
    } catch (error) {
      run.signal.throwIfAborted();
      if (!isSystemError(error) && !(error instanceof AgentError && error.code === "module-not-started")) throw error;
      run.logger.warning(`${error.message}; trying again in ${pauseMs / 1000} s`);
      await run.options.system.timers.sleep(pauseMs, run.signal);
    }
  }
  return await call(await moduleOf(run));
}

/** Reboot as the module answered: by itself, or by the agent. */
async function reboot(run: Run, call: "ArtifactReboot" | "ArtifactRollbackReboot"): Promise<void> {
  const { system, settings } = run.options;
  const answer: RebootAnswer = run.record.reboot;
  if (answer !== "Automatic") {
    await (await moduleOf(run)).call(call);
    return;
  }
  run.logger.info("rebooting");
  await run.log?.flush();
  await system.power.reboot();
  await system.timers.sleep(settings.rebootTimeoutMs, run.signal);
  throw new AgentError("reboot-timeout", `the machine did not reboot within ${settings.rebootTimeoutMs / 1000} s`);
}
