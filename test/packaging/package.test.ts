import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { artifactBytes, sourceFile } from "../agent/support/artifacts.ts";
import { describePeer } from "../interop/peers.ts";
import { CleanSystem } from "./clean-system.ts";

const PACKAGING = join(import.meta.dirname, "../../systemd/debian");
const SHIPPED = readdirSync(join(import.meta.dirname, "../../agent/modules/shipped")).sort();
const INVENTORY = readdirSync(join(PACKAGING, "inventory")).sort();
const KEY = "/var/lib/mender/mender-agent.pem";

let folder: string;
let first: string;
let second: string;

function pack(...args: string[]): string {
  return execFileSync(process.execPath, [join(PACKAGING, "package.mjs"), ...args], {
    encoding: "utf8",
    stdio: "pipe",
  }).trim();
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-packaging-"));
  first = pack("--out", folder, "--version", "1.0");
  second = pack("--out", folder, "--version", "1.1");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the Debian package", () => {
  it("holds the program, its unit, the modules, identity and inventory programs and a configuration; all of them root's", () => {
    const lines = execFileSync("dpkg-deb", ["--contents", first], { encoding: "utf8" }).trim().split("\n");
    const files = lines.filter((line) => !line.startsWith("d")).map((line) => line.split(/\s+/));
    expect(files.map(([mode, owner, , , , path]) => `${mode} ${owner} ${path}`)).toEqual([
      "-rwxr-xr-x root/root ./usr/bin/upkeep",
      "-rw-r--r-- root/root ./usr/lib/systemd/system/upkeep-check.service",
      "-rw-r--r-- root/root ./usr/lib/systemd/system/upkeep.service",
      "-rw-r--r-- root/root ./usr/lib/systemd/system/upkeep.timer",
      "-rw-r--r-- root/root ./usr/share/doc/upkeep/LEGAL.txt",
      "-rw-r--r-- root/root ./usr/share/doc/upkeep/changelog.gz",
      "-rw-r--r-- root/root ./usr/share/doc/upkeep/copyright",
      "-rw-r--r-- root/root ./usr/share/man/man1/upkeep.1.gz",
      "-rwxr-xr-x root/root ./usr/share/upkeep/identity/mender-device-identity",
      ...INVENTORY.map((name) => `-rwxr-xr-x root/root ./usr/share/upkeep/inventory/${name}`),
      "-rw-r--r-- root/root ./usr/share/upkeep/mender.conf",
      ...SHIPPED.map((name) => `-rwxr-xr-x root/root ./usr/share/upkeep/modules/v3/${name}`),
    ]);
    const field = (name: string) => execFileSync("dpkg-deb", ["--field", first, name], { encoding: "utf8" }).trim();
    expect(field("Depends")).toMatch(/^nodejs \(>= 20\.19\)/);
    expect(field("Version")).toBe("1.0");
    expect(field("Architecture")).toBe("all");
  });

  it("has the same bytes whenever it is made", () => {
    const again = pack("--out", join(folder, "again"), "--version", "1.0");
    expect(readFileSync(again).equals(readFileSync(first))).toBe(true);
    expect(readFileSync(second).equals(readFileSync(first))).toBe(false);
  });

  it("is not made with a version that is none", () => {
    expect(() => pack("--out", folder, "--version", "v1 beta")).toThrow('--version "v1 beta" is no version');
  });
});

describePeer(["lintian"], "the Debian package, to lintian", () => {
  it("has no error", () => {
    const { status, stdout, stderr } = spawnSync("lintian", ["--fail-on", "error", first], { encoding: "utf8" });
    const errors = stdout.split("\n").filter((line) => line.startsWith("E:"));
    expect({ status, errors }, stderr).toEqual({ status: 0, errors: [] });
  });
});

describe("the identity program of the package", () => {
  it("says the address of the first Ethernet interface with a device behind it, or why there is none", () => {
    const sysfs = join(folder, "sys");
    const identity = () =>
      spawnSync("sh", [join(PACKAGING, "mender-device-identity")], {
        encoding: "utf8",
        env: { PATH: process.env.PATH, SYSFS: sysfs },
      });
    mkdirSync(join(sysfs, "class/net"), { recursive: true });
    expect(identity()).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining("no Ethernet interface"),
    });
    const add = (name: string, type: number, index: number, address: string, device: boolean): void => {
      const path = join(sysfs, "class/net", name);
      mkdirSync(device ? join(path, "device") : path, { recursive: true });
      for (const [file, value] of Object.entries({ type, ifindex: index, address })) {
        writeFileSync(join(path, file), `${value}\n`);
      }
    };
    add("lo", 772, 1, "00:00:00:00:00:00", false);
    add("docker0", 1, 2, "02:42:00:00:00:01", false);
    add("eth1", 1, 10, "02:00:00:00:00:10", true);
    add("eth0", 1, 9, "02:00:00:00:00:09", true);
    expect(identity()).toMatchObject({ status: 0, stdout: "mac=02:00:00:00:00:09\n" });
  });
});

describePeer(["shellcheck"], "the scripts of the package", () => {
  it.each(["postinst", "prerm", "postrm", "mender-device-identity"])("%s is clean to shellcheck", (name) => {
    const { status, stdout } = spawnSync("shellcheck", ["--shell=sh", join(PACKAGING, name)], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });
});

const fault = CleanSystem.fault();
const describeSystem = fault === undefined || process.env.CI ? describe : describe.skip;

describeSystem(`on a system with the real dpkg${fault === undefined ? "" : ` (${fault})`}`, () => {
  let system: CleanSystem;
  let count = 0;

  beforeEach(async () => {
    system = await CleanSystem.start(join(folder, `system-${++count}`));
    system.copy(first, "tmp/packages/first.deb");
    system.copy(second, "tmp/packages/second.deb");
  });

  afterEach(() => system.stop());

  const install = (name: "first" | "second") => system.output(`dpkg --install /tmp/packages/${name}.deb`);
  const withoutMender = (): void => {
    system.run("dpkg --purge --force-depends mender-client; rm -rf /etc/mender /var/lib/mender /usr/share/mender");
  };
  const has = (path: string): boolean => system.run(`[ -e ${path} ]`).code === 0;
  const isEnabled = (): boolean =>
    system.run("[ -L /etc/systemd/system/multi-user.target.wants/upkeep.service ]").code === 0;
  /** Anything that carries our name, or that a device of ours has; the package manager's own books apart. */
  const remains = (): string =>
    system.output(
      "find /etc /var /usr /run -xdev -name '*upkeep*' ! -path '/var/lib/dpkg/*' ! -path '/var/log/*'; ls -d /etc/mender /var/lib/mender 2>/dev/null || :",
    );

  it("is installed, works, is upgraded with its state, identity and configuration, and purged without a trace", async () => {
    withoutMender();
    const before = remains();
    install("first");
    expect(system.output("dpkg-query --show upkeep")).toBe("upkeep\t1.0");
    expect(isEnabled()).toBe(true);
    expect(system.output("stat -c %a /etc/mender/mender.conf")).toBe("600");
    expect(system.output("upkeep show-artifact")).toBe("unknown");

    // A device with a name, a key, and an artifact that the package's own module has installed.
    system.output("mkdir -p /usr/share/mender/identity /srv/app");
    system.output("printf '#!/bin/sh\\necho mac=1\\n' >/usr/share/mender/identity/mender-device-identity");
    system.output("chmod +x /usr/share/mender/identity/mender-device-identity");
    system.output("echo device_type=board >/var/lib/mender/device_type");
    system.output(`echo '{"ServerURL": "http://127.0.0.1:9"}' >/etc/mender/mender.conf`);
    expect(system.run("upkeep bootstrap").code).toBe(1);
    const artifact = join(folder, "r1.mender");
    const files = { dest_dir: "/srv/app\n", filename: "app.conf\n", permissions: "644\n", "app.conf": "green\n" };
    writeFileSync(
      artifact,
      await artifactBytes({
        ...{
          kind: "module-image",
          type: "single-file",
          artifactName: "r1",
          deviceTypes: ["board"],
          compression: "gzip",
        },
        files: Object.entries(files).map(([name, content]) => sourceFile(name, content)),
      }),
    );
    system.copy(artifact, "tmp/packages/r1.mender");
    system.output("upkeep install /tmp/packages/r1.mender");
    system.output("upkeep commit");
    expect(system.output("cat /srv/app/app.conf")).toBe("green");

    const kept = `sha256sum ${KEY} /var/lib/mender/upkeep-store.json /etc/mender/mender.conf /var/lib/mender/device_type`;
    const state = system.output(kept);
    install("second");
    expect(system.output("dpkg-query --show upkeep")).toBe("upkeep\t1.1");
    expect(system.output(kept)).toBe(state);
    expect(system.output("upkeep show-artifact")).toBe("r1");
    expect(isEnabled()).toBe(true);

    system.output("dpkg --remove upkeep");
    expect(has("/usr/bin/upkeep")).toBe(false);
    expect(system.output(kept)).toBe(state);
    install("second");
    expect(system.output("upkeep show-artifact")).toBe("r1");
    system.output("dpkg --purge upkeep");
    expect(remains()).toBe(before);
    expect(has(KEY)).toBe(false);
  });

  it("is not enabled by an upgrade when somebody has disabled it", () => {
    withoutMender();
    install("first");
    system.output("systemctl disable upkeep.service");
    expect(isEnabled()).toBe(false);
    install("second");
    expect(isEnabled()).toBe(false);
  });

  it("where systemd runs, starts the daemon, lets it end at its next rest with a new version, and stops it", () => {
    withoutMender();
    // It notes what it is told to do; nothing of it can be done here.
    const systemctl = join(folder, "systemctl");
    const script = ['echo "$*" >>/tmp/told', 'case "$*" in *is-enabled*) echo enabled ;; esac'];
    writeFileSync(systemctl, `#!/bin/sh\n${script.join("\n")}\n`, { mode: 0o755 });
    system.copy(systemctl, "usr/bin/systemctl");
    system.output("mkdir -p /run/systemd/system; rm -f /usr/sbin/policy-rc.d");
    const told = (): string[] => {
      const lines = system.output("touch /tmp/told; cat /tmp/told; rm /tmp/told").split("\n");
      return lines.filter((line) => /\b(start|stop|restart|reload|daemon-reload)\b/.test(line));
    };
    install("first");
    expect(told()).toEqual([expect.stringContaining("daemon-reload"), expect.stringMatching(/start upkeep\.service$/)]);
    install("second");
    expect(told().at(-1)).toBe("reload upkeep.service");
    system.output("dpkg --remove upkeep");
    expect(told()).toEqual([
      expect.stringMatching(/stop upkeep\.timer upkeep-check\.service upkeep\.service$/),
      expect.stringContaining("daemon-reload"),
    ]);
  });

  it("stands beside an installed Mender client without touching it, and leaves it everything when it is purged", () => {
    const client = system.run("command -v mender").code === 0;
    if (!client) system.output("printf '#!/bin/sh\\n' >/usr/bin/mender; chmod +x /usr/bin/mender");
    // Debian's mender-client has a link there, to a partition that nobody has to have.
    system.output("mkdir -p /etc/mender; echo '{}' >/etc/mender/mender.conf");
    expect(system.output("dpkg --install /tmp/packages/first.deb")).toContain("'upkeep adopt' takes over from it");
    system.output(
      `mkdir -p "$(readlink -m /var/lib/mender)"; echo key >${KEY}; echo store >/var/lib/mender/mender-store`,
    );
    expect(isEnabled()).toBe(false);
    if (client) expect(system.run("dpkg --verify mender-client")).toEqual({ code: 0, output: "" });
    expect(system.output("cat /etc/mender/mender.conf")).toBe("{}");
    system.output("echo '{}' >/var/lib/mender/upkeep-store.json");
    system.output("dpkg --purge upkeep");
    expect(system.output("ls /var/lib/mender")).toBe("mender-agent.pem\nmender-store");
    expect(system.output("cat /etc/mender/mender.conf")).toBe("{}");
    if (client) expect(system.run("dpkg --verify mender-client")).toEqual({ code: 0, output: "" });
  });

  it("empties a data directory that is a link to another partition, and keeps the link", () => {
    withoutMender();
    system.output("mkdir -p /srv/data/mender; ln -s /srv/data/mender /var/lib/mender");
    install("first");
    system.output(`echo key >${KEY}`);
    system.output("dpkg --purge upkeep");
    expect(system.output("ls -A /srv/data/mender")).toBe("");
    expect(has("/var/lib/mender")).toBe(true);
  });

  it("is refused where node is too old", () => {
    system.output(
      "sed -i '/^Package: nodejs$/,/^$/ s/^Version: .*/Version: 18.20.4+dfsg-1~deb12u1/' /var/lib/dpkg/status",
    );
    const { code, output } = system.run("dpkg --install /tmp/packages/first.deb");
    expect(code).not.toBe(0);
    expect(output).toMatch(/upkeep depends on nodejs \(>= 20\.19\)/);
  });
});
