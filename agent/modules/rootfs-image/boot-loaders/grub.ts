import { readFile, replaceFile, type System } from "@upkeep/shared/system";
import { underRoot } from "../../../config/paths.ts";
import { AgentError } from "../../../errors.ts";
import { demandCommand, describeFailure, succeeded, tryCommand } from "../commands.ts";
import { BOOT, type BootVariables, firstDifference, parseVariables } from "../variables.ts";
import type { BootLoader } from "./boot-loader.ts";

/** Where distributions keep GRUB's environment block; for A/B it must be outside both root file systems. */
const BLOCKS = [
  "/boot/grub/grubenv",
  "/boot/grub2/grubenv",
  "/boot/efi/grub/grubenv",
  "/boot/efi/EFI/BOOT/grub/grubenv",
  "/boot/efi/EFI/BOOT/grubenv",
  "/efi/grub/grubenv",
] as const;

const EDITORS = ["grub-editenv", "grub2-editenv"] as const;

/** GRUB makes blocks of 1024 bytes; larger ones exist. */
const BLOCK_BYTES_MAX = 64 * 1024;

/** GRUB with a plain environment block, which `grub-editenv` edits. */
export class GrubBootLoader implements BootLoader {
  readonly name = "GRUB (grub-editenv)";
  readonly #system: Pick<System, "files" | "processes">;
  readonly #root: string | undefined;

  constructor(system: Pick<System, "files" | "processes">, root: string | undefined) {
    this.#system = system;
    this.#root = root;
  }

  async read(): Promise<BootVariables | undefined> {
    return (await this.#find())?.variables;
  }

  /**
   * `grub-editenv` truncates a block before it writes it, which a power cut would leave empty. So it edits a copy, whose
   * bytes then overwrite the block in place, as GRUB itself does it. GRUB reads a file system without its journal: after a
   * rename it would find the former block, until the kernel has written home what the journal holds.
   */
  async write(changes: BootVariables): Promise<void> {
    const found = await this.#find();
    if (found === undefined) throw notWritten("there is none");
    const { block, editor } = found;
    const { files } = this.#system;
    const before = await readFile(files, block, BLOCK_BYTES_MAX);
    if (before === undefined) throw notWritten(`${block} is gone`);
    const after = await this.#edited(`${block}.upkeep`, before, editor, changes);
    const handle = await files.open(block, "update");
    try {
      await handle.write(after, 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Writes home where the block lies, in case another program has just replaced it. Not every `sync` has -f.
    await tryCommand(this.#system, "sync", ["-f", block]);
  }

  /** A block with the changes, of the same size. The copy is removed. */
  async #edited(copy: string, before: Uint8Array, editor: string, changes: BootVariables): Promise<Uint8Array> {
    const { files } = this.#system;
    try {
      await replaceFile(files, copy, before);
      const assignments = Object.entries(changes).map(([name, value]) => `${name}=${value}`);
      await demandCommand(this.#system, editor, [copy, "set", ...assignments]);
      const after = await readFile(files, copy, BLOCK_BYTES_MAX);
      if (after?.length !== before.length)
        throw notWritten(`${editor} left ${after?.length} of ${before.length} bytes`);
      const listing = await demandCommand(this.#system, editor, [copy, "list"]);
      const missing = firstDifference(parseVariables(listing), changes);
      if (missing !== undefined) throw notWritten(`${missing} is not ${changes[missing]}`);
      return after;
    } finally {
      await files.remove(copy);
    }
  }

  /** The block that holds our variables. */
  async #find(): Promise<{ block: string; editor: string; variables: BootVariables } | undefined> {
    const { files } = this.#system;
    for (const candidate of BLOCKS) {
      const path = underRoot(this.#root, candidate);
      if ((await files.status(path))?.kind !== "file") continue;
      // Often a link to the EFI partition: the copy lies beside the file itself.
      const block = await files.realPath(path);
      for (const editor of EDITORS) {
        const result = await tryCommand(this.#system, editor, [block, "list"]);
        if (result === undefined) continue;
        if (!succeeded(result)) throw new AgentError("tool-failed", describeFailure(editor, result));
        const variables = parseVariables(result.stdout);
        if (variables[BOOT.part] !== undefined) return { block, editor, variables };
        break;
      }
    }
    return undefined;
  }
}

function notWritten(fault: string): AgentError {
  return new AgentError("boot-environment-not-written", `GRUB's environment block was not written: ${fault}`);
}
