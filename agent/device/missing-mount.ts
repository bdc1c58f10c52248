import { type Files, readTextFile } from "@upkeep/shared/system";
import { underRoot } from "../config/paths.ts";
import { parseMountInfo } from "../system/mount-info.ts";

const FILE_BYTES_MAX = 4 * 1024 * 1024;
/** As many links as the kernel follows. */
const LINKS_MAX = 40;

/** The mount points of /etc/fstab that are mounted at the boot. */
export function fstabMountPoints(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [source = "", mountPoint = "", , options = ""] = line.trim().split(/\s+/);
    if (source === "" || source.startsWith("#") || !mountPoint.startsWith("/")) return [];
    return options.split(",").includes("noauto") ? [] : [mountPoint.replace(/(.)\/+$/, "$1")];
  });
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory === "/" ? "" : directory}/`);
}

/** `path` with its links resolved, also where the target of one does not exist. */
async function resolved(files: Files, path: string): Promise<string> {
  let done = "";
  let left = path.split("/").filter((name) => name !== "");
  for (let links = 0; left.length > 0; ) {
    const [name = "", ...rest] = left;
    left = rest;
    if (name === ".") continue;
    if (name === "..") {
      done = done.slice(0, done.lastIndexOf("/"));
      continue;
    }
    const target = links < LINKS_MAX ? await files.readLink(`${done}/${name}`) : undefined;
    if (target === undefined) {
      done += `/${name}`;
      continue;
    }
    links++;
    if (target.startsWith("/")) done = "";
    left = [...target.split("/").filter((part) => part !== ""), ...rest];
  }
  return done === "" ? "/" : done;
}

/**
 * The mount point on which the data directory lies, if /etc/fstab lists it and it is not mounted (yet): what would be
 * written there now would lie on another file system, and hide once it is mounted.
 * @param root See `PathOptions.root`.
 */
export async function missingMount(
  files: Files,
  root: string | undefined,
  datastore: string,
): Promise<string | undefined> {
  const read = async (path: string) => (await readTextFile(files, underRoot(root, path), FILE_BYTES_MAX)) ?? "";
  const listed = fstabMountPoints(await read("/etc/fstab"));
  if (listed.length === 0) return undefined;
  const path = await resolved(files, datastore);
  const home = listed
    .filter((mountPoint) => mountPoint !== "/" && isBelow(path, underRoot(root, mountPoint)))
    .sort((a, b) => b.length - a.length)[0];
  if (home === undefined) return undefined;
  const mounted = parseMountInfo(await read("/proc/self/mountinfo")).some(({ mountPoint }) => mountPoint === home);
  return mounted ? undefined : home;
}
