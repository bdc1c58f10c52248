import { readTextFile, type System } from "@upkeep/shared/system";
import { cacheDirectory, homeDirectory } from "../system/environment.ts";
import { CtlError } from "./failure.ts";

const FILE_BYTES_MAX = 1024 * 1024;
const CONFIGURATION = ".mender-clirc";

async function firstOf({ files }: Pick<System, "files">, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const text = await readTextFile(files, path, FILE_BYTES_MAX);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** The token that mender-cli keeps after its login. @throws CtlError if there is none */
export async function menderCliToken(system: Pick<System, "files">): Promise<string> {
  const paths = [`${cacheDirectory("mender")}/authtoken`, `${homeDirectory()}/.mender/authtoken`];
  const token = (await firstOf(system, paths))?.trim();
  if (token !== undefined && token !== "") return token;
  throw new CtlError(`mender-cli has no token: neither ${paths.join(" nor ")} is there`);
}

/** The server in the configuration of mender-cli; never of one in the working directory, which mender-cli reads too. */
export async function menderCliServer(system: Pick<System, "files">): Promise<string | undefined> {
  const text = await firstOf(system, [`${homeDirectory()}/${CONFIGURATION}`, `/etc/mender-cli/${CONFIGURATION}`]);
  if (text === undefined) return undefined;
  try {
    const { server } = JSON.parse(text) as { readonly server?: unknown };
    return typeof server === "string" ? server : undefined;
  } catch {
    return undefined;
  }
}
