import { runProgram } from "./programs.ts";
import { ArtifactCommandError, type ArtifactContext } from "./run.ts";

/** Where the magic number of ext2, ext3 and ext4 stands, little endian. */
const MAGIC = { position: 1080, value: 0xef53 } as const;

/** S_IFREG and S_IFDIR. */
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;

export interface ImageFileStatus {
  /** As debugfs names it: `regular`, `directory`, `symlink`, … */
  readonly type: string;
  /** Permission bits. */
  readonly mode: number;
  readonly user: number;
  readonly group: number;
}

type Owner = Pick<ImageFileStatus, "mode" | "user" | "group">;

/** True for an image of ext2, ext3 or ext4. */
export async function isExtImage({ system }: ArtifactContext, path: string): Promise<boolean> {
  const handle = await system.files.open(path, "read");
  try {
    const magic = Buffer.alloc(2);
    return (await handle.read(magic, MAGIC.position)) === 2 && magic.readUInt16LE() === MAGIC.value;
  } finally {
    await handle.close();
  }
}

/** An image of ext2, ext3 or ext4, which debugfs reads and changes without mounting it. */
export class ExtImage {
  readonly #context: ArtifactContext;
  readonly #path: string;
  readonly #scratch: string;

  /** @param scratch A directory for the commands to debugfs. */
  constructor(context: ArtifactContext, path: string, scratch: string) {
    this.#context = context;
    this.#path = path;
    this.#scratch = scratch;
  }

  /** `undefined` if there is no such file. */
  async status(path: string): Promise<ImageFileStatus | undefined> {
    const { out, fault } = await this.#run([`stat ${quoted(path)}`]);
    if (fault?.includes("File not found")) return undefined;
    if (fault !== undefined) throw failed(fault);
    const [, type, mode] = /Type: (.+?)\s+Mode:\s+([0-7]+)/.exec(out) ?? [];
    const [, user, group] = /User:\s+(\d+)\s+Group:\s+(\d+)/.exec(out) ?? [];
    if (type === undefined || mode === undefined) throw failed(`stat ${path} says ${JSON.stringify(out)}`);
    return { type, mode: Number.parseInt(mode, 8), user: Number(user), group: Number(group) };
  }

  /** Copies a file out of the image. */
  async read(path: string, target: string): Promise<ImageFileStatus> {
    const status = await this.#regular(path);
    await this.#change(`dump ${quoted(path)} ${quoted(target)}`);
    return status;
  }

  /**
   * Copies a file into the image, replacing one that is there.
   * @param mode If not given, mode and owner stay those of the file that is replaced.
   */
  async write(source: string, path: string, mode?: number): Promise<void> {
    const before = await this.status(path);
    if (before !== undefined && before.type !== "regular") throw wrongType(path, before);
    const [directory, name] = [parentOf(path), path.slice(path.lastIndexOf("/") + 1)];
    const parent = await this.status(directory);
    if (parent?.type !== "directory") {
      throw new ArtifactCommandError("ENOTDIR", `${directory} is no directory of the image`);
    }
    const kept: Owner = before ?? { mode: 0o644, user: 0, group: 0 };
    await this.#change(
      ...(before === undefined ? [] : [`rm ${quoted(path)}`]),
      `cd ${quoted(directory)}`,
      `write ${quoted(source)} ${quoted(name)}`,
      ...ownership(path, REGULAR, mode === undefined ? kept : { mode, user: 0, group: 0 }),
    );
  }

  /** Makes a directory and its parents. No error if it is there. */
  async makeDirectory(path: string): Promise<void> {
    const status = await this.status(path);
    if (status?.type === "directory") return;
    if (status !== undefined) throw wrongType(path, status);
    await this.makeDirectory(parentOf(path));
    await this.#change(`mkdir ${quoted(path)}`, ...ownership(path, DIRECTORY, { mode: 0o755, user: 0, group: 0 }));
  }

  /** Removes a file, or with `recursive` a directory and what is in it. */
  async remove(path: string, recursive: boolean): Promise<void> {
    const status = await this.status(path);
    if (status === undefined) throw notThere(path);
    if (status.type !== "directory") return await this.#change(`rm ${quoted(path)}`);
    const names = await this.#list(path);
    if (names.length > 0 && !recursive) {
      throw new ArtifactCommandError("ENOTEMPTY", `${path} is a directory that is not empty; --recursive removes it`);
    }
    for (const name of names) await this.remove(`${path}/${name}`, true);
    await this.#change(`rmdir ${quoted(path)}`);
  }

  async #list(path: string): Promise<string[]> {
    const { out, fault } = await this.#run([`ls -p ${quoted(path)}`]);
    if (fault !== undefined) throw failed(fault);
    // /INODE/MODE/USER/GROUP/NAME/SIZE/
    return out
      .split("\n")
      .flatMap((line) => /^\/\d+\/\d+\/\d+\/\d+\/(.*)\/\d*\/$/.exec(line)?.[1] ?? [])
      .filter((name) => name !== "." && name !== "..");
  }

  async #regular(path: string): Promise<ImageFileStatus> {
    const status = await this.status(path);
    if (status === undefined) throw notThere(path);
    if (status.type !== "regular") throw wrongType(path, status);
    return status;
  }

  /** @throws ArtifactCommandError if debugfs does not carry out all of the commands. */
  async #change(...commands: readonly string[]): Promise<void> {
    const { fault } = await this.#run(commands);
    if (fault !== undefined) throw failed(fault);
  }

  /** debugfs ends with 0 whatever it could not do, but tells it on standard error, behind its own name and version. */
  async #run(commands: readonly string[]): Promise<{ readonly out: string; readonly fault: string | undefined }> {
    const script = `${this.#scratch}/debugfs-commands`;
    const handle = await this.#context.system.files.open(script, "write", 0o600);
    try {
      await handle.write(Buffer.from(commands.map((command) => `${command}\n`).join("")));
    } finally {
      await handle.close();
    }
    const { succeeded, out, error } = await runProgram("e2fsprogs", {
      command: "debugfs",
      args: ["-w", "-f", script, this.#path],
      environment: { DEBUGFS_PAGER: "__none__", LC_ALL: "C", TZ: "UTC" },
    });
    const said = error
      .split("\n")
      .filter((line) => line !== "" && !/^debugfs \d/.test(line))
      .join("; ");
    return { out: out.toString("utf8"), fault: said === "" && succeeded ? undefined : said };
  }
}

/** A name in a command to debugfs. @throws ArtifactCommandError if none can be written so. */
function quoted(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: commands are lines
  if (/[\u0000-\u001f\u007f]/.test(name)) {
    throw new ArtifactCommandError("usage", `${JSON.stringify(name)}: a control character is in the name`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}

function ownership(path: string, type: number, { mode, user, group }: Owner): string[] {
  const file = quoted(path);
  return [`sif ${file} mode 0${(type | mode).toString(8)}`, `sif ${file} uid ${user}`, `sif ${file} gid ${group}`];
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function failed(fault: string): ArtifactCommandError {
  return new ArtifactCommandError("image", `debugfs: ${fault || "it failed without a word"}`);
}

function notThere(path: string): ArtifactCommandError {
  return new ArtifactCommandError("ENOENT", `${path} is not in the image`);
}

function wrongType(path: string, { type }: ImageFileStatus): ArtifactCommandError {
  return new ArtifactCommandError("not-a-file", `${path} of the image is of the type ${type}, not a regular file`);
}
