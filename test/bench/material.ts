import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const PAYLOAD_TYPE = "drop";
export const DEVICE_TYPE = "bench";

/** Reads what it is streamed and drops it: what is left is the client's own work. */
export const DROP_MODULE = `#!/bin/sh
set -e
case "$1" in
  Download)
    while file="$(cat stream-next)" && [ -n "$file" ]; do cat "$file" > /dev/null; done ;;
  SupportsRollback) echo No ;;
  NeedsArtifactReboot) echo No ;;
esac
exit 0
`;

/** Does not read the streams, so that the client stores the payload. */
export const STORING_MODULE = `#!/bin/sh
case "$1" in
  SupportsRollback | NeedsArtifactReboot) echo No ;;
esac
exit 0
`;

/** Real libraries below `from`, linked into a directory until about `bytes` are reached. */
function chooseFiles(from: string, into: string, bytes: number): void {
  let total = 0;
  const walk = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (total >= bytes) return;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) {
        const size = statSync(path).size;
        if (size < 4096 || total + size > bytes) continue;
        execFileSync("cp", ["--reflink=auto", path, join(into, String(total))]);
        total += size;
      }
    }
  };
  walk(from);
}

/** An ext4 image of `mebibytes`, four fifths of it real libraries of this machine. Made once in a folder. */
export function makeImage(folder: string, mebibytes: number): string {
  const image = join(folder, `image-${mebibytes}.ext4`);
  if (existsSync(image)) return image;
  const content = join(folder, `content-${mebibytes}`);
  mkdirSync(content);
  chooseFiles("/usr/lib", content, mebibytes * 1024 * 1024 * 0.8);
  execFileSync("/sbin/mke2fs", ["-q", "-t", "ext4", "-d", content, image, `${mebibytes}M`], { stdio: "pipe" });
  execFileSync("rm", ["-rf", content]);
  return image;
}

/** A file of `mebibytes` without content of its own: no disk is used, and yet every byte is read and hashed. */
export function makeSparse(folder: string, mebibytes: number): string {
  const file = join(folder, `sparse-${mebibytes}.img`);
  execFileSync("truncate", ["-s", `${mebibytes}M`, file]);
  return file;
}

/** Small files, each with a line of its own. */
export function makeFiles(folder: string, count: number): string[] {
  const directory = join(folder, `files-${count}`);
  mkdirSync(directory);
  return Array.from({ length: count }, (_, index) => {
    const file = join(directory, `file-${index}`);
    writeFileSync(file, `file ${index}\n`);
    return file;
  });
}

/** A directory tree with everything that a client looks for on a device, with the module and nothing else. */
export function makeDevice(
  folder: string,
  moduleText = DROP_MODULE,
): { root: string; etc: string; share: string; data: string } {
  const root = join(folder, "device");
  const [etc, share, data] = ["etc/mender", "usr/share/mender", "var/lib/mender"].map((part) => join(root, part));
  if (etc === undefined || share === undefined || data === undefined) throw new Error("unreachable");
  for (const part of [etc, data, join(share, "modules/v3"), join(share, "identity"), join(share, "inventory")]) {
    mkdirSync(part, { recursive: true });
  }
  const module = join(share, "modules/v3", PAYLOAD_TYPE);
  writeFileSync(module, moduleText);
  chmodSync(module, 0o755);
  writeFileSync(join(etc, "mender.conf"), "{}\n");
  writeFileSync(join(etc, "artifact_info"), "artifact_name=none\n");
  writeFileSync(join(data, "device_type"), `device_type=${DEVICE_TYPE}\n`);
  return { root, etc, share, data };
}
