import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { HOSTILE, hostileArtifact } from "../../shared/artifact/hostile.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { copyModule, createDevice, UPKEEP } from "./device.ts";

/** A command that takes so long, with a machine that is busy, has hung. */
const HUNG_MS = 40_000;

const directory = temporaryDirectory();

it.each(Object.keys(HOSTILE))("install refuses %s by name, at once, and nothing is installed", (name) => {
  const root = join(directory, name);
  createDevice(root, "http://127.0.0.1:9");
  // What the signed one is for.
  writeFileSync(join(root, "usr/share/mender/modules/v3/m"), copyModule(join(root, "software")), { mode: 0o755 });
  const path = join(directory, `${name}.mender`);
  writeFileSync(path, hostileArtifact(name));
  const { status, stderr } = spawnSync(process.execPath, [UPKEEP, "--root", root, "install", path], {
    encoding: "utf8",
    timeout: HUNG_MS,
  });
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/header\.tar|data\/0000\.tar/) });
});
