import type { System } from "@upkeep/shared/system";
import { AgentError } from "../../../errors.ts";
import { BOOT, type BootVariables } from "../variables.ts";
import type { BootLoader } from "./boot-loader.ts";
import { EnvToolsBootLoader, GRUB_MENDER, U_BOOT } from "./env-tools.ts";
import { GrubBootLoader } from "./grub.ts";

export interface FoundBootLoader {
  readonly loader: BootLoader;
  readonly variables: BootVariables;
}

/**
 * The boot loader whose environment says which partition to boot. Where several sets of tools are installed,
 * those made for A/B updates come first, plain GRUB last.
 * @param scratch A directory for temporary files.
 * @param root See `PathOptions.root`.
 * @throws AgentError `boot-loader-missing`, naming what was found of each.
 */
export async function findBootLoader(
  system: Pick<System, "files" | "processes">,
  scratch: string,
  root: string | undefined,
): Promise<FoundBootLoader> {
  const loaders: readonly BootLoader[] = [
    new EnvToolsBootLoader(system, GRUB_MENDER, scratch),
    new EnvToolsBootLoader(system, U_BOOT, scratch),
    new GrubBootLoader(system, root),
  ];
  const findings: string[] = [];
  for (const loader of loaders) {
    try {
      const variables = await loader.read();
      if (variables?.[BOOT.part] !== undefined) return { loader, variables };
      findings.push(`${loader.name}: ${variables === undefined ? "not there" : `no ${BOOT.part} in its environment`}`);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      findings.push(`${loader.name}: ${error.message}`);
    }
  }
  throw new AgentError("boot-loader-missing", `no boot loader tells which partition it boots (${findings.join("; ")})`);
}
