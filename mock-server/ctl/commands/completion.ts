import { completionScript } from "../completion.ts";
import type { Ctl } from "../context.ts";

/** Prints the completion of a shell. */
export async function completion({ shell }: { readonly shell: "bash" | "zsh" | "fish" }, ctl: Ctl): Promise<undefined> {
  ctl.print(completionScript(shell, ctl.table).trimEnd());
}
