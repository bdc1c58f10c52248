import { given } from "@upkeep/shared/given";
import { type Files, readTextFile } from "@upkeep/shared/system";
import { parseConfigFile } from "../../config/file.ts";
import { systemPaths } from "../../config/paths.ts";
import { AgentError } from "../../errors.ts";

const CONFIG_BYTES_MAX = 1024 * 1024;

/** The work tree of a payload, below the data directory. */
const TREE = /\/modules\/v3\/payloads\/\d+\/tree\/*$/;

export interface RootfsSettings {
  /** As configured; names of UBI volumes are completed to paths. */
  readonly partA: string;
  readonly partB: string;
}

export interface SettingsPlace {
  /** See `PathOptions.root`. */
  readonly root?: string | undefined;
  /** Files from the command line, which must exist; else those of the environment, or the default ones. */
  readonly config?: string | undefined;
  readonly fallbackConfig?: string | undefined;
  readonly workTree: string;
  /** Reads `MENDER_CONF_DIR` and `MENDER_DATASTORE_DIR`, as the reference module does. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface ConfigPlace {
  readonly path: string;
  readonly mustExist: boolean;
}

/** Fallback first, main file last: the later one wins. */
function configFiles({ root, config, fallbackConfig, workTree, environment }: SettingsPlace): readonly ConfigPlace[] {
  const around = TREE.test(workTree) ? workTree.replace(TREE, "") : undefined;
  const datastore = environment.MENDER_DATASTORE_DIR ?? around;
  const defaults = systemPaths(given({ root, datastore }));
  const { MENDER_CONF_DIR: directory } = environment;
  const main = directory === undefined ? defaults.configFile : `${directory}/mender.conf`;
  return [
    { path: fallbackConfig ?? defaults.fallbackConfigFile, mustExist: fallbackConfig !== undefined },
    { path: config ?? main, mustExist: config !== undefined },
  ];
}

/** The kernel's name of a UBI volume has no directory, but the tools need one. */
function withDirectory(partition: string): string {
  return partition.startsWith("ubi") ? `/dev/${partition}` : partition;
}

/** @throws AgentError `config-unreadable`, `config-not-json`, `config-invalid` or `rootfs-not-configured`; a SystemError. */
export async function readRootfsSettings(files: Files, place: SettingsPlace): Promise<RootfsSettings> {
  const places = configFiles(place);
  let partA: string | undefined;
  let partB: string | undefined;
  for (const { path, mustExist } of places) {
    const text = await readTextFile(files, path, CONFIG_BYTES_MAX);
    if (text === undefined && mustExist) {
      throw new AgentError("config-unreadable", `the configuration ${path} does not exist`);
    }
    if (text === undefined) continue;
    const { values } = parseConfigFile(text, path);
    // In the reference client's configuration an empty text means: not set.
    partA = values.RootfsPartA || partA;
    partB = values.RootfsPartB || partB;
  }
  const paths = places.map(({ path }) => path);
  return { partA: configured("RootfsPartA", partA, paths), partB: configured("RootfsPartB", partB, paths) };
}

function configured(key: string, value: string | undefined, paths: readonly string[]): string {
  if (value === undefined) {
    throw new AgentError("rootfs-not-configured", `${key} is configured neither in ${paths.join(" nor in ")}`);
  }
  const partition = withDirectory(value);
  if (partition.startsWith("/")) return partition;
  throw new AgentError("config-invalid", `${key} is ${JSON.stringify(value)}, but must be the path of a device`);
}
