import { isSystemError } from "@upkeep/shared/system";
import { AgentError } from "../../errors.ts";
import { bootLoaderOf, deviceNow, type ModuleContext, partitionsOf, rememberedPart } from "./device.ts";
import { partToGoBackTo, rollback } from "./rules.ts";
import type { BootVariables } from "./variables.ts";
import { upgradeAvailable } from "./variables.ts";

/** @returns `undefined` if nothing has to be undone, or only the boot loader can undo it. */
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
 * ArtifactRollback. An update on probation is taken back by the boot loader, too: when the environment cannot be
 * written and a reboot follows anyway, that reboot is the best that can be done.
 * @throws AgentError where nothing else will take the update back.
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
