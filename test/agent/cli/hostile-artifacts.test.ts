import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { HOSTILE, hostileArtifact } from "../../shared/artifact/hostile.ts";
import { spawnBounded } from "../../support/bounded.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { copyModule, createDevice, UPKEEP } from "./device.ts";

const directory = temporaryDirectory();

it.each(Object.keys(HOSTILE))("install refuses %s by name, at once, and nothing is installed", (name) => {
  const root = join(directory, name);
  createDevice(root, "http://127.0.0.1:9");
  // What the signed one is for.
  writeFileSync(join(root, "usr/share/mender/modules/v3/m"), copyModule(join(root, "software")), { mode: 0o755 });
  const path = join(directory, `${name}.mender`);
  writeFileSync(path, hostileArtifact(name));
  const { status, stderr } = spawnBounded(process.execPath, [UPKEEP, "--root", root, "install", path]);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/header\.tar|data\/0000\.tar/) });
});
