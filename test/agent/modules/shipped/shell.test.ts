import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describePeer } from "../../../interop/peers.ts";
import { SHIPPED } from "./work-tree.ts";

const names = readdirSync(SHIPPED);

describe("the shipped modules", () => {
  it("are programs for any POSIX shell", () => {
    expect(names).toEqual(["deb", "directory", "rootfs-image", "script", "single-file"]);
    for (const name of names) {
      expect(statSync(join(SHIPPED, name)).mode & 0o111).toBe(0o111);
      expect(readFileSync(join(SHIPPED, name), "utf8").startsWith("#!/bin/sh\n")).toBe(true);
    }
  });
});

describePeer(["shellcheck"], "the shipped modules, read by shellcheck", () => {
  it("have nothing that it warns of", () => {
    const result = spawnSync("shellcheck", names, { cwd: SHIPPED, encoding: "utf8" });
    expect(result.stdout).toBe("");
    expect(result.status).toBe(0);
  });
});
