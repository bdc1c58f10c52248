import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "vitest";

/** Programs of others that tests run, and the Debian package that has each. */
const PACKAGES = {
  mender: "mender-client",
  "mender-artifact": "mender-artifact",
  "mender-cli": "mender-cli",
  zstd: "zstd",
  xz: "xz-utils",
  openssl: "openssl",
  strace: "strace",
  strip: "binutils",
  readelf: "binutils",
  "systemd-analyze": "systemd",
  shellcheck: "shellcheck",
  lintian: "lintian",
  script: "bsdutils",
  "grub-fstest": "grub-common",
  "grub-script-check": "grub-common",
  debugfs: "e2fsprogs",
  "mkfs.ext4": "e2fsprogs",
  "softhsm2-util": "softhsm2",
  "pkcs11-tool": "opensc",
  nginx: "nginx",
  buildah: "buildah",
  debootstrap: "debootstrap",
  chromium: "chromium",
  mandoc: "mandoc",
  fish: "fish",
  zsh: "zsh",
} as const;

export type PeerName = keyof typeof PACKAGES;

/** Where a program is, if it is installed. */
export function peerPath(name: PeerName): string | undefined {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
      } catch (error) {
        if (error instanceof Error && "code" in error) return false;
        throw error;
      }
    });
}

/** Where a program is that must be there. */
export function requirePeer(name: PeerName): string {
  const path = peerPath(name);
  if (path === undefined) throw new Error(`${name} is not installed: apt-get install ${PACKAGES[name]}`);
  return path;
}

/**
 * Tests against programs of others. Where one is missing they are skipped, and the report names the package
 * to install; in CI (the variable CI is set) that is a failure.
 */
export function describePeer(names: readonly PeerName[], title: string, body: () => void): void {
  const missing = names.filter((name) => peerPath(name) === undefined);
  if (missing.length === 0) {
    describe(title, body);
    return;
  }
  const reason = `needs ${missing.join(", ")}: apt-get install ${missing.map((name) => PACKAGES[name]).join(" ")}`;
  if (process.env.CI) {
    describe(title, () => {
      it("runs in CI", () => {
        throw new Error(reason);
      });
    });
  } else {
    describe.skip(`${title} (${reason})`, body);
  }
}
