// Makes the Debian package of the server: `npm run package:server`. It is for this machine's architecture and for the
// major version of Node that runs this, because better-sqlite3 is compiled for both.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { makeDeb, OPTIONS } from "../deb.mjs";
import { stage } from "./stage.mjs";

const here = import.meta.dirname;
const top = join(here, "../..");
const manifest = JSON.parse(readFileSync(join(top, "mock-server/package.json"), "utf8"));
const { values } = parseArgs({ options: OPTIONS });

const PROGRAMS = ["upkeep-server", "upkeepctl"];
/** Where Debian's shells look for the completion of upkeepctl. */
const COMPLETIONS = {
  bash: "usr/share/bash-completion/completions/upkeepctl",
  zsh: "usr/share/zsh/vendor-completions/_upkeepctl",
  fish: "usr/share/fish/vendor_completions.d/upkeepctl.fish",
};

function completionOf(shell) {
  return execFileSync(process.execPath, [join(top, "mock-server/bin/upkeepctl.mjs"), "completion", shell]);
}

const major = Number(process.versions.node.split(".")[0]);
const least = major === 20 ? "20.19" : `${major}`;
const FIELDS = `Depends: nodejs (>= ${least}), nodejs (<< ${major + 1}~), libc6, libstdc++6, init-system-helpers (>= 1.54), systemd | systemd-standalone-sysusers
Suggests: postgresql
Section: admin
Priority: optional
Description: server of software updates for embedded Linux devices
 Upkeep's companion server selects the deployment for each device, serves
 artifacts and takes statuses and logs. It speaks the management and device
 APIs of Mender, so that Mender clients are updated by it as well. The
 command upkeepctl is for operators.`;

console.log(
  makeDeb({
    name: "upkeep-server",
    version: values.version ?? manifest.version,
    architecture: execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim(),
    maintainer: values.maintainer,
    compression: values.compression,
    out: values.out ?? join(top, "dist"),
    fields: FIELDS.split("\n"),
    scripts: Object.fromEntries(["postinst", "prerm", "postrm", "conffiles"].map((name) => [name, join(here, name)])),
    fill(put, root) {
      put(
        "usr/lib/systemd/system/upkeep-server.service",
        0o644,
        readFileSync(join(top, "systemd/upkeep-server.service")),
      );
      put("usr/lib/sysusers.d/upkeep-server.conf", 0o644, readFileSync(join(here, "sysusers.conf")));
      put("etc/default/upkeep-server", 0o644, readFileSync(join(here, "default")));
      put("usr/share/doc/upkeep-server/copyright", 0o644, readFileSync(join(here, "copyright")));
      for (const name of PROGRAMS) {
        const manual = readFileSync(join(here, `${name}.1`));
        put(`usr/share/man/man1/${name}.1.gz`, 0o644, gzipSync(manual, { level: 9 }));
      }
      for (const [shell, path] of Object.entries(COMPLETIONS)) put(path, 0o644, completionOf(shell));
      const program = join(root, "usr/lib/upkeep-server");
      stage(program);
      for (const path of readdirSync(program, { recursive: true, withFileTypes: true })) {
        if (!path.isFile()) continue;
        const file = join(path.parentPath, path.name);
        chmodSync(file, readFileSync(file).subarray(0, 2).toString("latin1") === "#!" ? 0o755 : 0o644);
        if (path.name.endsWith(".node")) execFileSync("strip", ["--strip-unneeded", "--remove-section=.comment", file]);
      }
      mkdirSync(join(root, "usr/bin"), { recursive: true });
      for (const name of PROGRAMS) {
        // Debian's own node, whatever else is in the PATH of those who call it.
        const starter = join(program, `bin/${name}.mjs`);
        writeFileSync(starter, readFileSync(starter, "utf8").replace(/^#!.*\n/, "#!/usr/bin/node\n"));
        chmodSync(starter, 0o755);
        symlinkSync(`../lib/upkeep-server/bin/${name}.mjs`, join(root, "usr/bin", name));
      }
    },
  }),
);
