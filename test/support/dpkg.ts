import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** dpkg with a database of its own: nothing is installed on this machine. */
export interface PrivateDpkg {
  /** To be put in front of the PATH. */
  readonly bin: string;
  /** The file that holds how dpkg was called last: `DEBIAN_FRONTEND`, then each argument, one a line. */
  readonly called: string;
  /** A line for each package: name, version, status. */
  installed(): string;
}

export function privateDpkg(folder: string): PrivateDpkg {
  const bin = join(folder, "bin");
  const root = join(folder, "dpkg-root");
  const called = join(folder, "called");
  for (const path of [bin, `${root}/var/lib/dpkg/info`, `${root}/var/lib/dpkg/updates`]) {
    mkdirSync(path, { recursive: true });
  }
  writeFileSync(`${root}/var/lib/dpkg/status`, "");
  const script = [
    "#!/bin/sh",
    `printf '%s\\n' "$DEBIAN_FRONTEND" "$@" >'${called}'`,
    `exec /usr/bin/dpkg --root='${root}' --log=/dev/null "$@"`,
  ];
  writeFileSync(join(bin, "dpkg"), `${script.join("\n")}\n`, { mode: 0o755 });
  const query = ["--admindir", `${root}/var/lib/dpkg`, "-W", "-f", `\${Package} \${Version} \${Status}\n`];
  return { bin, called, installed: () => execFileSync("dpkg-query", query, { encoding: "utf8", stdio: "pipe" }) };
}

/** Make a package that holds nothing but its name. @returns The path of the archive. */
export function makePackage(folder: string, name: string): string {
  const content = join(folder, `content-${name}`);
  mkdirSync(join(content, "DEBIAN"), { recursive: true });
  const control = [
    ...[`Package: ${name}`, "Version: 1.0", "Architecture: all"],
    ...["Maintainer: nobody <nobody@example.com>", "Description: for a test", ""],
  ];
  writeFileSync(join(content, "DEBIAN/control"), control.join("\n"));
  const archive = join(folder, `${name}.deb`);
  execFileSync("dpkg-deb", ["--build", "--root-owner-group", content, archive], { stdio: "pipe" });
  return archive;
}
