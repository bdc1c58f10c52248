// Makes the Debian package of the agent: `npm run package`. With `-- --sea`, one with Node inside; `--node FILE` names
// the Node, for this machine or another one (amd64, arm64, armhf).
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { makeDeb, OPTIONS } from "../deb.mjs";

const here = import.meta.dirname;
const top = join(here, "../..");
const agent = join(top, "agent");
const manifest = JSON.parse(readFileSync(join(agent, "package.json"), "utf8"));
const { values } = parseArgs({
  options: {
    ...OPTIONS,
    sea: { type: "boolean", default: false },
    node: { type: "string" },
    "node-licence": { type: "string" },
  },
});
const MODULES = join(agent, "modules/shipped");
const INVENTORY = join(here, "inventory");
const out = values.out ?? join(top, "dist");
const version = values.version ?? manifest.version;

/** The agent's program, which says the version of its package: without the epoch and the Debian revision. */
function program() {
  const upstream = version.replace(/^\d+:/, "").replace(/-[^-]*$/, "");
  if (upstream === manifest.version) return readFileSync(join(agent, "dist/upkeep.cjs"), "utf8");
  const folder = mkdtempSync(join(tmpdir(), "upkeep-program-"));
  try {
    execFileSync(process.execPath, [join(agent, "build.mjs"), "--version", upstream, "--out", folder], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    return readFileSync(join(folder, "upkeep.cjs"), "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where each file goes and where it comes from; the mode says whether it is a program. */
const FILES = [
  ...["upkeep-check.service", "upkeep.service", "upkeep.timer"].map((unit) => [
    `usr/lib/systemd/system/${unit}`,
    join(top, "systemd", unit),
    0o644,
  ]),
  ["usr/share/upkeep/mender.conf", join(here, "mender.conf"), 0o644],
  ["usr/share/upkeep/identity/mender-device-identity", join(here, "mender-device-identity"), 0o755],
  ["usr/share/doc/upkeep/copyright", join(here, "copyright"), 0o644],
  ["usr/share/doc/upkeep/LEGAL.txt", join(agent, "dist/upkeep.cjs.LEGAL.txt"), 0o644],
  ...readdirSync(INVENTORY)
    .sort()
    .map((name) => [`usr/share/upkeep/inventory/${name}`, join(INVENTORY, name), 0o755]),
  // A directory of our own: those of the same name in Mender's package stay as they are, and come first.
  ...readdirSync(MODULES)
    .sort()
    .map((name) => [`usr/share/upkeep/modules/v3/${name}`, join(MODULES, name), 0o755]),
];

const fields = (depends) => `Depends: ${[...depends, "init-system-helpers (>= 1.54)"].join(", ")}
Suggests: jq, u-boot-tools, mtd-utils
Section: admin
Priority: optional
Description: software update agent for embedded Linux devices
 Upkeep keeps a device up to date: it asks its server for deployments, checks
 that an artifact fits the device, installs it through update modules, reboots
 if needed, and commits or rolls back. It speaks the protocol of Mender, and
 installs Mender artifacts.`;

/** @param putProgram Puts `usr/bin/upkeep`, and what belongs to it. */
function pack({ architecture, depends, putProgram }) {
  return makeDeb({
    name: "upkeep",
    version,
    architecture,
    maintainer: values.maintainer,
    out,
    compression: values.compression,
    fields: fields(depends).split("\n"),
    scripts: Object.fromEntries(["postinst", "prerm", "postrm"].map((name) => [name, join(here, name)])),
    fill(put) {
      for (const [target, source, mode] of FILES) put(target, mode, readFileSync(source));
      put("usr/share/man/man1/upkeep.1.gz", 0o644, gzipSync(readFileSync(join(here, "upkeep.1")), { level: 9 }));
      putProgram(put);
    },
  });
}

/** Debian's own node, whatever else is in the PATH of those who call it. */
function packScript() {
  const putProgram = (put) => put("usr/bin/upkeep", 0o755, program().replace(/^#!.*\n/, "#!/usr/bin/node\n"));
  return pack({ architecture: "all", depends: ["nodejs (>= 20.19)"], putProgram });
}

async function packSingleExecutable() {
  const { makeSingleExecutable } = await import("../single-executable.mjs");
  mkdirSync(out, { recursive: true });
  const target = join(out, "upkeep");
  const { node = process.execPath, "node-licence": nodeLicence } = values;
  const { architecture, depends, licence } = await makeSingleExecutable({
    program: program(),
    node,
    licence: nodeLicence,
    target,
  });
  const putProgram = (put) => {
    put("usr/bin/upkeep", 0o755, readFileSync(target));
    put("usr/share/doc/upkeep/LICENSE.node.gz", 0o644, gzipSync(licence, { level: 9 }));
  };
  return pack({ architecture, depends, putProgram });
}

console.log(values.sea ? await packSingleExecutable() : packScript());
