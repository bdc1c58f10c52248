import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { cachedRoot } from "../../system/support/base.ts";
import { Debian, type Versions } from "./debian.ts";
import { ext4, squashfs, type Tool, withApplication, withOneLine, withOtherTimes } from "./images.ts";

/** Goes up when images are made in another way. */
const MAKING = "3";

/** The images, as files of a folder that also has what was made of them. */
export interface Material {
  readonly folder: string;
  readonly tool: Tool;
  readonly packages: number;
  readonly upgraded: number;
}

export const IMAGES = {
  before: "before.ext4",
  after: "after.ext4",
  squashedBefore: "before.squashfs",
  squashedAfter: "after.squashfs",
  line: "one-line.ext4",
  times: "other-times.ext4",
  application: "one-application-more.ext4",
} as const;

/**
 * Real images of Debian's packages. They are made once for their versions, and kept where the systems of tests are.
 * @param application A directory with the application that is added.
 */
export function materialOf(application: string, packages: readonly string[]): Material {
  const apt = cachedRoot("bench-apt", packages, (folder) => execFileSync("mkdir", [folder]));
  const debian = new Debian(apt, packages);
  const tool = debian.tools();
  const versions = debian.versions();
  const lines = (["before", "after"] as const).flatMap((state) => [...versions[state]].map((one) => one.join(" ")));
  const folder = cachedRoot("bench-adaptive", [MAKING, ...lines], (below) =>
    make(debian, versions, tool, application, below),
  );
  const upgraded = [...versions.after].filter(([name, version]) => versions.before.get(name) !== version).length;
  return { folder, tool, packages: versions.after.size, upgraded };
}

function make(debian: Debian, versions: Versions, tool: Tool, application: string, folder: string): void {
  execFileSync("mkdir", [folder]);
  const roots = debian.roots(versions, folder);
  const at = (name: keyof typeof IMAGES): string => join(folder, IMAGES[name]);
  const kib = Number(execFileSync("du", ["-sk", roots.after], { encoding: "utf8" }).split("\t")[0]);
  const mebibytes = Math.ceil((kib / 1024) * 1.3);
  ext4(roots.before, at("before"), mebibytes);
  ext4(roots.after, at("after"), mebibytes);
  squashfs(tool, roots.before, at("squashedBefore"));
  squashfs(tool, roots.after, at("squashedAfter"));
  rmSync(roots.after, { recursive: true });
  const variants = {
    line: withOneLine,
    times: withOtherTimes,
    application: (root: string, to: string) => withApplication(root, to, application),
  };
  for (const name of Object.keys(variants) as (keyof typeof variants)[]) {
    const root = variants[name](roots.before, join(folder, "root-variant"));
    ext4(root, at(name), mebibytes);
    rmSync(root, { recursive: true });
  }
  rmSync(roots.before, { recursive: true });
}
