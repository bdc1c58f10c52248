import { isSystemError } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";
import { bootLoaderOf, deviceNow, type ModuleContext, partitionsOf, rememberedPart } from "./rootfs-device.ts";
import { partToGoBackTo, rollback } from "./rules.ts";
import type { BootVariables } from "./variables.ts";
import { upgradeAvailable } from "./variables.ts";

/** @returns `undefined` if there is nothing to undo, or only the boot loader can undo it. */
async function target(context: ModuleContext, variables: BootVariables): Promise<number | undefined> {
  const remembered = await rememberedPart(context.system.files, context.workTree);
  if (remembered !== undefined) return remembered;
  try {
    const [a, b] = await partitionsOf(context);
    return partToGoBackTo({ partitions: [a.number, b.number], variables });
  } catch (error) {
    if (!(error instanceof AgentError) && !isSystemError(error)) throw error;
    context.say(`left to the boot loader: ${error.message}`);
    return undefined;
  }
}

/** True unless it is certain that the device runs `part`: then no reboot follows in which the boot loader acts. */
async function mayRebootInto(context: ModuleContext, part: number): Promise<boolean> {
  try {
    return (await deviceNow(context)).situation.mountedRoot !== part;
  } catch (error) {
    if (!(error instanceof AgentError) && !isSystemError(error)) throw error;
    return true;
  }
}

/**
 * ArtifactRollback. The boot loader too rolls back an update that has not been committed: when the environment cannot be
 * written and a reboot follows, the rollback is left to it.
 * @throws AgentError if the boot loader will not roll back either.
 */
export async function artifactRollback(context: ModuleContext): Promise<void> {
  const { loader, variables } = await bootLoaderOf(context);
  const part = await target(context, variables);
  if (part === undefined) return;
  const changes = rollback(variables, part);
  if (Object.keys(changes).length === 0) return;
  try {
    await loader.write(changes);
    context.say(`the boot loader will boot partition ${part} again`);
  } catch (error) {
    if (!(error instanceof AgentError) && !isSystemError(error)) throw error;
    if (!upgradeAvailable(variables) || !(await mayRebootInto(context, part))) throw error;
    context.say(`left to the boot loader: ${error.message}`);
  }
}
