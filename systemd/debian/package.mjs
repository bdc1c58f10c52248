// Makes the Debian package of the agent: `npm run package`. Needs dpkg-deb. The same sources give the same bytes.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const here = import.meta.dirname;
const top = join(here, "../..");
const agent = join(top, "agent");
const manifest = JSON.parse(readFileSync(join(agent, "package.json"), "utf8"));

const { values } = parseArgs({
  options: {
    // For trying out an upgrade; releases have the version of agent/package.json.
    version: { type: "string", default: manifest.version },
    out: { type: "string", default: join(top, "dist") },
    maintainer: { type: "string", default: process.env.DEBEMAIL ?? "Upkeep maintainers <upkeep@example.com>" },
  },
});
const version = values.version;
if (!/^\d[A-Za-z0-9.+~]*$/.test(version))
  throw new Error(`--version ${JSON.stringify(version)} is no version of a Debian package`);

/** Of every file in the package, in seconds since the Unix epoch. */
const timestamp = Number(process.env.SOURCE_DATE_EPOCH ?? 1767225600);
const MODULES = join(agent, "modules/shipped");

/** Where each file comes from and where it goes; the mode says whether it is a program. */
const files = [
  ["usr/lib/systemd/system/upkeep.service", join(top, "systemd/upkeep.service"), 0o644],
  ["usr/share/upkeep/mender.conf", join(here, "mender.conf"), 0o644],
  ["usr/share/upkeep/identity/mender-device-identity", join(here, "mender-device-identity"), 0o755],
  ["usr/share/doc/upkeep/copyright", join(here, "copyright"), 0o644],
  ["usr/share/doc/upkeep/LEGAL.txt", join(agent, "dist/upkeep.cjs.LEGAL.txt"), 0o644],
  // A directory of our own: those of the same name in Mender's package stay as they are, and come first.
  ...readdirSync(MODULES)
    .sort()
    .map((name) => [`usr/share/upkeep/modules/v3/${name}`, join(MODULES, name), 0o755]),
];

const control = (installedKib) => `Package: upkeep
Version: ${version}
Architecture: all
Maintainer: ${values.maintainer}
Installed-Size: ${installedKib}
Depends: nodejs (>= 20.19), init-system-helpers (>= 1.54)
Suggests: jq, u-boot-tools, mtd-utils
Section: admin
Priority: optional
Description: software update agent for embedded Linux devices
 Upkeep keeps a device up to date: it asks its server for deployments, checks
 that an artifact fits the device, installs it through update modules, reboots
 if needed, and commits or rolls back. It speaks the protocol of Mender, and
 installs Mender artifacts.
`;

const changelog = `upkeep (${version}) unstable; urgency=medium

  * Version ${version}; what has changed is in the history of the sources.

 -- ${values.maintainer}  ${new Date(timestamp * 1000).toUTCString().replace("GMT", "+0000")}
`;

function* below(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* below(path);
    yield path;
  }
}

const stage = mkdtempSync(join(tmpdir(), "upkeep-package-"));
try {
  const put = (target, mode, content) => {
    const path = join(stage, target);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
  };
  for (const [target, source, mode] of files) put(target, mode, readFileSync(source));
  // Debian's own node, whatever else is in the PATH of those who call it.
  const bundle = readFileSync(join(agent, "dist/upkeep.cjs"), "utf8");
  put("usr/bin/upkeep", 0o755, bundle.replace(/^#!.*\n/, "#!/usr/bin/node\n"));
  put("usr/share/doc/upkeep/changelog.gz", 0o644, gzipSync(changelog, { level: 9 }));

  const staged = [...below(stage)].filter((path) => statSync(path).isFile());
  const sums = staged.map(
    (path) => `${createHash("md5").update(readFileSync(path)).digest("hex")}  ${relative(stage, path)}\n`,
  );
  const installedKib = staged.reduce((sum, path) => sum + Math.ceil(statSync(path).size / 1024), 0);
  put("DEBIAN/control", 0o644, control(installedKib));
  put("DEBIAN/md5sums", 0o644, sums.join(""));
  for (const script of ["postinst", "prerm", "postrm"]) {
    mkdirSync(join(stage, "DEBIAN"), { recursive: true });
    copyFileSync(join(here, script), join(stage, "DEBIAN", script));
    chmodSync(join(stage, "DEBIAN", script), 0o755);
  }
  for (const path of [...below(stage), stage]) {
    if (statSync(path).isDirectory()) chmodSync(path, 0o755);
    utimesSync(path, timestamp, timestamp);
  }
  mkdirSync(values.out, { recursive: true });
  const target = join(values.out, `upkeep_${version}_all.deb`);
  execFileSync("dpkg-deb", ["--root-owner-group", "--threads-max=1", "-Zxz", "--build", stage, target], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(timestamp) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  console.log(target);
} finally {
  rmSync(stage, { recursive: true, force: true });
}
