import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export const SHIPPED = join(import.meta.dirname, "../../../../agent/modules/shipped");

export interface ModuleResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A shipped module, called as a client does, and a directory for what it does. */
export class ModuleUnderTest {
  readonly folder: string;
  readonly tree: string;
  readonly #module: string;

  constructor(name: string) {
    // A blank in every path.
    this.folder = mkdtempSync(join(tmpdir(), "upkeep shipped-"));
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
    this.tree = join(this.folder, "data dir/tree");
    this.#module = join(SHIPPED, name);
    this.newTree();
  }

  newTree(): void {
    rmSync(this.tree, { recursive: true, force: true });
    for (const name of ["files", "tmp", "header"]) mkdirSync(join(this.tree, name), { recursive: true });
  }

  /** A file of the payload. */
  payload(name: string, content: string | Buffer): void {
    writeFileSync(join(this.tree, "files", name), content);
  }

  removePayload(name: string): void {
    rmSync(join(this.tree, "files", name));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** @param bin A directory with programs to be found before all others. */
  call(state: string, bin?: string): ModuleResult {
    const path = bin === undefined ? process.env.PATH : `${bin}:${process.env.PATH}`;
    const result = spawnSync(this.#module, [state, this.tree], {
      cwd: this.tree,
      encoding: "utf8",
      env: { ...process.env, PATH: path },
    });
    return { exitCode: result.status, stdout: result.stdout, stderr: result.stderr };
  }

  /**
   * Run a call that is killed, as by a power cut, when it runs `program` for the `nth` time.
   * @returns True if it came so far.
   */
  cut(state: string, program: string, nth: number, after: boolean): boolean {
    const bin = this.path("bin");
    rmSync(bin, { recursive: true, force: true });
    mkdirSync(bin);
    const real = execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
    const counter = join(bin, "counter");
    const script = [
      "#!/bin/sh",
      `echo x >>'${counter}'`,
      `if [ "$(wc -l <'${counter}')" -eq ${nth} ]; then`,
      ...(after ? [`  ${real} "$@"`] : []),
      "  kill -9 $PPID; exit 1",
      "fi",
      `exec ${real} "$@"`,
    ];
    writeFileSync(join(bin, program), `${script.join("\n")}\n`, { mode: 0o755 });
    return this.call(state, bin).exitCode === null;
  }

  /** Names in a directory, hidden ones too. */
  names(directory: string): string[] {
    return readdirSync(this.path(directory)).sort();
  }
}
