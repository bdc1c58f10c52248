import { isSystemError, LinkedController, removeDurably } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { payloadPath, type RebootAnswer, type UpdateModule, workTreePath } from "../modules/index.ts";
import { download } from "./download-action.ts";
import { artifactScriptsPath, moduleOf, type Run } from "./run.ts";
import type { ActionOutcomes, StateName } from "./states.ts";

/** What each state does. An action that throws has the outcome `failed`. */
export const ACTIONS: { readonly [Name in StateName]: (run: Run) => Promise<ActionOutcomes[Name]> } = {
  Download: download,
  ArtifactInstall: async (run) => {
    await (await moduleOf(run)).call("ArtifactInstall");
    return "done";
  },
  NeedsArtifactReboot: async (run) => {
    run.record.reboot = await (await moduleOf(run)).needsArtifactReboot();
    if (run.record.origin.mode === "standalone") return "standalone";
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
  // The proof is the report that the row sends first.
  BeforeArtifactCommit: async () => "done",
  ArtifactCommit: async (run) => {
    await (await moduleOf(run)).call("ArtifactCommit");
    return "done";
  },
  // Only its scripts run. Its place in the journal makes the commit final.
  AfterArtifactCommit: async () => "done",
  SupportsRollback: async (run) => ((await retryingStart(run, (module) => module.supportsRollback())) ? "yes" : "no"),
  ArtifactRollback: async (run) => {
    await retryingStart(run, (module) => module.call("ArtifactRollback"));
    return "done";
  },
  NeedsRollbackReboot: async (run) => {
    if (run.record.origin.mode === "standalone") return "no-reboot";
    run.record.reboot = await retryingStart(run, (module) => module.needsArtifactReboot());
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
    await retryingStart(run, (module) => module.call("ArtifactFailure"));
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
      await removeDurably(system.files, payloadPath(paths.datastore));
    }
    return "done";
  },
  Report: async (run) => {
    const { system, paths } = run.options;
    // Cleanup has removed both, unless it failed or the update was given up as a loop.
    await removeDurably(system.files, payloadPath(paths.datastore));
    await removeDurably(system.files, artifactScriptsPath(paths.datastore));
    return "done";
  },
};

/** Pauses before another attempt to start a module that could not be started during a rollback. */
const START_PAUSES_MS = [1000, 5000, 30_000];

/**
 * Call the module during a rollback. A module that could not be started, because of a fault of the disk or of the
 * system, has not failed to roll back: it is started again before it counts as failed.
 */
async function retryingStart<T>(run: Run, call: (module: UpdateModule) => Promise<T>): Promise<T> {
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

/** Reboot as the module asked for: the module does it, or the agent. */
async function reboot(run: Run, call: "ArtifactReboot" | "ArtifactRollbackReboot"): Promise<void> {
  const { system, settings } = run.options;
  const answer: RebootAnswer = run.record.reboot;
  if (answer !== "Automatic") {
    await (await moduleOf(run)).call(call);
    return;
  }
  run.logger.info("rebooting");
  await run.log?.flush();
  const waiting = new LinkedController(run.signal);
  // The program that reboots may itself never end.
  const late = system.timers.sleep(settings.rebootTimeoutMs, waiting.signal).then(() => {
    throw new AgentError("reboot-timeout", `the machine did not reboot within ${settings.rebootTimeoutMs / 1000} s`);
  });
  try {
    await Promise.race([system.power.reboot(), late]);
    await late;
  } finally {
    waiting.abort();
    waiting.release();
    late.catch(() => undefined);
  }
}
