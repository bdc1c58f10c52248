import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";

/**
 * Lets V8 do without its optimizing compiler, whose code is 4 to 6 MiB in memory: the agent waits, reads and writes, and
 * decoders in WebAssembly do not depend on it. Set while the program runs, not on its command line: there Node would
 * refuse its cache of compiled code, which costs 2 MiB.
 */
export function saveMemory(): void {
  setFlagsFromString("--no-opt");
}

/** The update modules beside this program in its npm package, or in the source tree; a Debian package has none there. */
export function modulesBeside(): string | undefined {
  const program = process.argv[1];
  if (program === undefined || !existsSync(program)) return undefined;
  const modules = join(dirname(realpathSync(program)), "../modules/shipped");
  return existsSync(modules) ? modules : undefined;
}
