import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** Before and after: the release alone, and with its security updates. */
const SOURCES = {
  before: [`deb [signed-by=${KEYRING}] http://deb.debian.org/debian bookworm main`],
  after: [
    `deb [signed-by=${KEYRING}] http://deb.debian.org/debian bookworm main`,
    `deb [signed-by=${KEYRING}] http://deb.debian.org/debian-security bookworm-security main`,
  ],
} as const;
export type State = keyof typeof SOURCES;

/** What a device might have. */
export const DEVICE_PACKAGES: readonly string[] = [
  ...["bash", "coreutils", "dpkg", "apt", "systemd", "systemd-sysv", "udev", "openssh-server", "curl", "perl"],
  ...["ca-certificates", "nodejs", "python3", "sudo", "iproute2", "openssl", "gnupg", "tzdata", "less"],
];
const TOOLS = ["squashfs-tools", "xdelta3", "casync", "liblzo2-2", "libfuse2"];

/** Of each state: package → version. */
export type Versions = Readonly<Record<State, ReadonlyMap<string, string>>>;

/** Debian's packages, through this machine's apt with lists and a cache of its own. No root is needed. */
export class Debian {
  readonly #folder: string;
  readonly #packages: readonly string[];

  /** @param folder Of its own: for lists and archives, which are used again. */
  constructor(folder: string, packages: readonly string[]) {
    this.#folder = folder;
    this.#packages = packages;
    for (const part of ["lists/partial", "archives/partial", "etc", "tools"]) {
      mkdirSync(join(folder, "apt", part), { recursive: true });
    }
    writeFileSync(join(folder, "apt/status"), "");
    for (const state of ["before", "after"] as const) {
      writeFileSync(join(folder, `apt/etc/${state}.list`), `${SOURCES[state].join("\n")}\n`);
    }
    this.#apt("after", "update");
  }

  #apt(state: State, ...args: string[]): string {
    const apt = join(this.#folder, "apt");
    const settings = {
      "Dir::State": apt,
      "Dir::State::lists": join(apt, "lists"),
      "Dir::State::status": join(apt, "status"),
      "Dir::Cache": apt,
      "Dir::Cache::archives": join(apt, "archives"),
      "Dir::Etc::sourcelist": join(apt, `etc/${state}.list`),
      "Dir::Etc::sourceparts": "/nonexistent",
      "APT::Install-Recommends": "false",
      "Debug::NoLocking": "true",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    return execFileSync("apt-get", ["-qq", ...options, ...args], {
      cwd: join(apt, "tools"),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** The packages with their versions. */
  #closure(state: State): Map<string, string> {
    const lines = this.#apt(state, "-s", "install", ...this.#packages).matchAll(/^Inst (\S+) \((\S+) /gm);
    return new Map([...lines].map(([, name = "", version = ""]) => [name, version]));
  }

  /** The packages of both states, which decide what is in the images. */
  versions(): Versions {
    return { before: this.#closure("before"), after: this.#closure("after") };
  }

  /** Unpacks both states below a folder. @returns The directories. */
  roots(versions: Versions, below: string): Readonly<Record<State, string>> {
    for (const state of ["before", "after"] as const)
      this.#apt(state, "-y", "--download-only", "install", ...this.#packages);
    const archives = readdirSync(join(this.#folder, "apt/archives")).filter((name) => name.endsWith(".deb"));
    const root = (state: State): string => {
      const path = join(below, `root-${state}`);
      mkdirSync(path);
      for (const [name, version] of versions[state]) {
        const begin = `${name}_${version.replaceAll(":", "%3a")}_`;
        const archive = archives.find((one) => one.startsWith(begin));
        if (archive === undefined) throw new Error(`apt has not fetched ${name} ${version}`);
        execFileSync("dpkg-deb", ["-x", join(this.#folder, "apt/archives", archive), path]);
      }
      return path;
    };
    return { before: root("before"), after: root("after") };
  }

  /** Programs that are not on every machine, unpacked and not installed. @returns Runs one of them. */
  tools(): (program: string, args: readonly string[]) => void {
    const folder = join(this.#folder, "apt/tools");
    this.#apt("after", "download", ...TOOLS);
    for (const name of readdirSync(folder))
      if (name.endsWith(".deb")) execFileSync("dpkg-deb", ["-x", name, "."], { cwd: folder });
    const library = join(folder, "usr/lib/x86_64-linux-gnu");
    return (program, args) => {
      execFileSync(join(folder, "usr/bin", program), args, {
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...process.env, LD_LIBRARY_PATH: library },
      });
    };
  }
}
