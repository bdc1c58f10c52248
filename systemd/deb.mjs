// Makes Debian packages: what the agent's and the server's have in common. Needs dpkg-deb. The same files give the same bytes.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";

/** Of every file in the package, in seconds since the Unix epoch. */
const timestamp = Number(process.env.SOURCE_DATE_EPOCH ?? 1767225600);

export const OPTIONS = {
  // For trying out an upgrade; releases have the version of package.json.
  version: { type: "string" },
  out: { type: "string" },
  // One of dpkg-deb's: with none, a package that is only tried out is made at once.
  compression: { type: "string", default: "xz" },
  maintainer: { type: "string", default: process.env.DEBEMAIL ?? "Upkeep maintainers <upkeep@example.com>" },
};

function* below(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* below(path);
    yield path;
  }
}

const isFile = (path) => lstatSync(path).isFile();

/**
 * Makes `NAME_VERSION_ARCHITECTURE.deb` in the directory `out`, and returns its path.
 * `fill(put, stage)` puts the files: `put(path, mode, content)`, or straight below the directory `stage`.
 * `fields` are lines of the control file beside those that are the same everywhere; `scripts` are files by their names.
 * @throws Error if the version is none of Debian's
 */
export function makeDeb({ name, version, architecture, maintainer, out, compression, fields, scripts, fill }) {
  if (!/^\d[A-Za-z0-9.+~]*$/.test(version))
    throw new Error(`--version ${JSON.stringify(version)} is no version of a Debian package`);
  const changelog = `${name} (${version}) unstable; urgency=medium

  * Version ${version}; what has changed is in the history of the sources.

 -- ${maintainer}  ${new Date(timestamp * 1000).toUTCString().replace("GMT", "+0000")}
`;
  const stage = mkdtempSync(join(tmpdir(), `${name}-package-`));
  try {
    const put = (target, mode, content) => {
      const path = join(stage, target);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      chmodSync(path, mode);
    };
    fill(put, stage);
    put(`usr/share/doc/${name}/changelog.gz`, 0o644, gzipSync(changelog, { level: 9 }));

    const staged = [...below(stage)].filter(isFile);
    const sums = staged.map(
      (path) => `${createHash("md5").update(readFileSync(path)).digest("hex")}  ${relative(stage, path)}\n`,
    );
    const installedKib = staged.reduce((sum, path) => sum + Math.ceil(statSync(path).size / 1024), 0);
    const control = [
      `Package: ${name}`,
      `Version: ${version}`,
      `Architecture: ${architecture}`,
      `Maintainer: ${maintainer}`,
      `Installed-Size: ${installedKib}`,
      ...fields,
    ];
    put("DEBIAN/control", 0o644, `${control.join("\n")}\n`);
    put("DEBIAN/md5sums", 0o644, sums.join(""));
    for (const [script, source] of Object.entries(scripts)) {
      copyFileSync(source, join(stage, "DEBIAN", script));
      chmodSync(join(stage, "DEBIAN", script), script === "conffiles" ? 0o644 : 0o755);
    }
    for (const path of [...below(stage), stage]) {
      if (lstatSync(path).isDirectory()) chmodSync(path, 0o755);
      lutimesSync(path, timestamp, timestamp);
    }
    mkdirSync(out, { recursive: true });
    const target = join(out, `${name}_${version}_${architecture}.deb`);
    execFileSync("dpkg-deb", ["--root-owner-group", "--threads-max=1", `-Z${compression}`, "--build", stage, target], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(timestamp) },
      stdio: ["ignore", "ignore", "inherit"],
    });
    return target;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
