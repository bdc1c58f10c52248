import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";

/**
 * V8's flags for a program that waits, reads and writes. Its decoders are native or in WebAssembly. Figures are of Node 20.
 */
const SPARING = [
  // Optimized code and its compiler take 4 to 6 MiB. Only the loop over every byte of a device's seeds has them: they make
  // it twelve times as fast.
  "--turbo-filter=chunkLength",
  // The same of WebAssembly takes 6 to 8 MiB. It makes xz faster by a fifth, and zstd not at all.
  "--liftoff-only",
  // Young objects have 3 MiB; otherwise up to 48 after many of them.
  "--semi-space-growth-factor=1",
  // V8 looks for garbage when the heap has grown by a fifth; otherwise when it has doubled or more.
  "--heap-growing-percent=20",
];

/**
 * Makes V8 spare memory. To be called while the program runs, not given on its command line: there Node would refuse its
 * cache of compiled code, which costs 2 MiB.
 */
export function saveMemory(): void {
  for (const flag of SPARING) setFlagsFromString(flag);
}

/** The update modules beside this program in its npm package, or in the source tree; a Debian package has none there. */
export function modulesBeside(): string | undefined {
  const program = process.argv[1];
  if (program === undefined || !existsSync(program)) return undefined;
  const modules = join(dirname(realpathSync(program)), "../modules/shipped");
  return existsSync(modules) ? modules : undefined;
}
