import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Why this process cannot mount file systems; `undefined` if it can. */
function mountFault(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can mount file systems";
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `mounting a tmpfs fails: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** True if tests may mount. On CI they must be able to: what is left out there is not tested at all. */
export function canMount(): boolean {
  const fault = mountFault();
  if (fault === undefined) return true;
  if (process.env.CI) throw new Error(`tests with file systems of their own cannot run: ${fault}`);
  process.stderr.write(`No tests with file systems of their own: ${fault}\n`);
  return false;
}

const mounted: string[] = [];

/** To be called when a test has ended: unmounts what it has mounted. */
export function unmountAll(): void {
  for (const path of mounted.splice(0).reverse()) execFileSync("umount", ["--lazy", path], { stdio: "pipe" });
}

/** A tmpfs at `path`. */
export function mountTmpfs(path: string, options: string): void {
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "pipe" });
  mounted.push(path);
}

/** An ext4 file system in a file of `mebibytes` beside `path`, mounted there. */
export function mountExt4(path: string, mebibytes: number, inodes: number): void {
  mkdirSync(path, { recursive: true });
  const image = `${path}.ext4`;
  writeFileSync(image, "");
  truncateSync(image, mebibytes * 1024 * 1024);
  execFileSync("mkfs.ext4", ["-q", "-F", "-m", "0", "-N", String(inodes), image], { stdio: "pipe" });
  execFileSync("mount", ["-o", "loop", image, path], { stdio: "pipe" });
  mounted.push(path);
  rmSync(join(path, "lost+found"), { recursive: true, force: true });
}

export function remount(path: string, options: string): void {
  execFileSync("mount", ["-o", `remount,${options}`, path], { stdio: "pipe" });
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}

/** Write into `directory` until no byte fits any more. @returns A function that gives the room back. */
export function fillBytes(directory: string): () => void {
  const path = join(directory, "filler");
  const descriptor = openSync(path, "w");
  for (let bytes = 1024 * 1024; bytes >= 1; ) {
    try {
      writeSync(descriptor, Buffer.alloc(bytes, 1));
    } catch (error) {
      if (!isFull(error)) throw error;
      bytes = Math.floor(bytes / 2);
    }
  }
  closeSync(descriptor);
  return () => rmSync(path);
}

/** Make files in `directory` until there is no inode left. @returns A function that gives them back. */
export function fillInodes(directory: string): () => void {
  const paths: string[] = [];
  const remove = () => {
    for (const path of paths) rmSync(path);
  };
  for (let number = 0; number < 100_000; number++) {
    const path = join(directory, `filler-${number}`);
    try {
      writeFileSync(path, "");
      paths.push(path);
    } catch (error) {
      if (isFull(error)) return remove;
      throw error;
    }
  }
  throw new Error(`${directory} has inodes without end`);
}
