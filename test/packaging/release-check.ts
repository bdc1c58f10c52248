/**
 * `npm run release:check`: what must hold before a version is published. Ends with 1 and says what does not.
 * The version stands in the package.json of the root; `npm version VERSION --workspaces --include-workspace-root
 * --no-git-tag-version` writes it there and into every workspace.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(import.meta.dirname, "../..");

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** What the checks look at. */
export interface Release {
  /** Of the root first, then of each workspace, by path. */
  readonly manifests: readonly (readonly [path: string, manifest: Manifest])[];
  readonly changelog: string;
  /** What `git status --porcelain` prints. */
  readonly changes: string;
  readonly lockfile: string;
}

type Check = (release: Release) => readonly string[];

const CHECKS: Readonly<Record<string, Check>> = {
  "one version": ({ manifests }) => {
    const [[, root] = ["", { name: "", version: "" }]] = manifests;
    return manifests
      .filter(([, { version }]) => version !== root.version)
      .map(([path, { version }]) => `${path}/package.json: version is ${version}, the root's is ${root.version}`);
  },
  "an entry in CHANGELOG.md": ({ manifests, changelog }) => {
    const version = manifests[0]?.[1].version ?? "";
    const found = changelog.split("\n").some((line) => line === `## ${version}` || line.startsWith(`## ${version} `));
    return found ? [] : [`CHANGELOG.md has no section "## ${version}"`];
  },
  "published packages depend on published packages": ({ manifests }) => {
    const hidden = manifests.filter(([, manifest]) => manifest.private).map(([, { name }]) => name);
    return manifests
      .filter(([, manifest]) => !manifest.private)
      .flatMap(([path, { dependencies = {} }]) =>
        Object.keys(dependencies)
          .filter((name) => hidden.includes(name))
          .map((name) => `${path}/package.json: dependencies has ${name}, which is private`),
      );
  },
  "nothing uncommitted": ({ changes }) =>
    changes
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => `uncommitted: ${line.trim()}`),
  "no registry's address in the lockfile": ({ lockfile }) => {
    const { packages } = JSON.parse(lockfile) as { packages: Record<string, { resolved?: string }> };
    return Object.entries(packages)
      .filter(([, { resolved = "" }]) => /^https?:/.test(resolved))
      .map(([path]) => `package-lock.json: ${path} has an address`);
  },
};

/** What does not hold: the name of each check with what it found. */
export function faultsOf(release: Release): readonly string[] {
  return Object.entries(CHECKS).flatMap(([name, check]) => check(release).map((fault) => `${name}: ${fault}`));
}

export function readRelease(root: string): Release {
  const text = (path: string): string => readFileSync(join(root, path), "utf8");
  const top = JSON.parse(text("package.json")) as Manifest;
  const workspaces = (top.workspaces ?? []).map(
    (path) => [path, JSON.parse(text(join(path, "package.json"))) as Manifest] as const,
  );
  return {
    manifests: [[".", { ...top, private: true }], ...workspaces],
    changelog: text("CHANGELOG.md"),
    changes: execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" }),
    lockfile: text("package-lock.json"),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const release = readRelease(ROOT);
  const faults = faultsOf(release);
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length > 0) process.exitCode = 1;
  else process.stdout.write(`${release.manifests[0]?.[1].version}: ${Object.keys(CHECKS).join(", ")}\n`);
}
