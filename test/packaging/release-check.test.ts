import { join } from "node:path";
import { expect, test } from "vitest";
import { faultsOf, type Release, readRelease } from "./release-check.ts";

const GOOD: Release = {
  manifests: [
    [".", { name: "root", version: "1.2.0", private: true }],
    ["shared", { name: "hidden", version: "1.2.0", private: true }],
    ["agent", { name: "agent", version: "1.2.0", dependencies: { zod: "^4" } }],
  ],
  changelog: "# Changelog\n\n## 1.2.0 (2026-11-30)\n",
  changes: "",
  lockfile: '{"packages": {"node_modules/zod": {"version": "4.0.0"}}}',
};

test("a release in order has no faults", () => {
  expect(faultsOf(GOOD)).toEqual([]);
});

const WITH_ADDRESS = '{"packages": {"node_modules/zod": {"resolved": "https://example.com/zod.tgz"}}}';

test.each<[string, Partial<Release>, string]>([
  [
    "another version in a workspace",
    { manifests: [...GOOD.manifests, ["server", { name: "server", version: "1.1.0" }]] },
    "one version: server/package.json: version is 1.1.0, the root's is 1.2.0",
  ],
  [
    "a version without an entry",
    { changelog: "## 1.2.0-rc1\n" },
    'an entry in CHANGELOG.md: CHANGELOG.md has no section "## 1.2.0"',
  ],
  [
    "a dependency that is not published",
    { manifests: [...GOOD.manifests, ["server", { name: "server", version: "1.2.0", dependencies: { hidden: "*" } }]] },
    "published packages depend on published packages: server/package.json: dependencies has hidden, which is private",
  ],
  ["a change that is not committed", { changes: " M README.md\n" }, "nothing uncommitted: uncommitted: M README.md"],
  [
    "an address in the lockfile",
    { lockfile: WITH_ADDRESS },
    "no registry's address in the lockfile: package-lock.json: node_modules/zod has an address",
  ],
])("%s is found", (_, change, fault) => {
  expect(faultsOf({ ...GOOD, ...change })).toEqual([fault]);
});

test("this tree could be released, once everything is committed", () => {
  expect(faultsOf({ ...readRelease(join(import.meta.dirname, "../..")), changes: "" })).toEqual([]);
});
