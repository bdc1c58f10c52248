import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { describePeer } from "../interop/peers.ts";
import { CleanSystem } from "./clean-system.ts";

const ROOT = join(import.meta.dirname, "../..");
const LONG_MS = 300_000;
const UNIT = readFileSync(join(ROOT, "systemd/upkeep-server.service"), "utf8");
const CONTAINERFILE = readFileSync(join(ROOT, "mock-server/Containerfile"), "utf8");

let folder: string;
let first: string;
let second: string;

function pack(version: string): string {
  const script = join(ROOT, "systemd/server/package.mjs");
  const args = [script, "--out", folder, "--version", version];
  return execFileSync(process.execPath, args, { encoding: "utf8", stdio: "pipe" }).trim();
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-server-package-"));
  first = pack("1.0");
  second = pack("1.1");
}, LONG_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the Debian package of the server", () => {
  const field = (name: string) => execFileSync("dpkg-deb", ["--field", first, name], { encoding: "utf8" }).trim();

  it("is for the Node that its native modules are compiled for", () => {
    const major = Number(process.versions.node.split(".")[0]);
    expect(field("Depends")).toContain(`nodejs (<< ${major + 1}~)`);
    expect(field("Architecture")).not.toBe("all");
  });

  it("holds what the server loads, and neither the agent nor sources nor the S3 client", () => {
    const paths = execFileSync("dpkg-deb", ["--contents", first], { encoding: "utf8" });
    expect(paths).toContain("./usr/lib/upkeep-server/node_modules/better-sqlite3/build/Release/better_sqlite3.node");
    expect(paths).toContain("./usr/lib/systemd/system/upkeep-server.service");
    for (const manual of ["upkeep-server.1.gz", "upkeepctl.1.gz"])
      expect(paths).toContain(`./usr/share/man/man1/${manual}`);
    for (const completion of [
      "bash-completion/completions/upkeepctl",
      "zsh/vendor-completions/_upkeepctl",
      "fish/vendor_completions.d/upkeepctl.fish",
    ])
      expect(paths).toContain(`./usr/share/${completion}`);
    expect(paths).not.toMatch(/@aws-sdk|\.ts$|\.map$|node_modules\/upkeep|\.cpp$/m);
  });
});

describePeer(["lintian"], "the Debian package of the server, to lintian", () => {
  it("has neither an error nor a warning", { timeout: LONG_MS }, () => {
    const { stdout, stderr } = spawnSync("lintian", ["--fail-on", "error,warning", first], { encoding: "utf8" });
    expect(
      stdout.split("\n").filter((line) => /^[EW]:/.test(line)),
      stderr,
    ).toEqual([]);
  });
});

describePeer(["systemd-analyze"], "upkeep-server.service under systemd-analyze", () => {
  it("is exposed less than 2 of 10", () => {
    const unit = join(ROOT, "systemd/upkeep-server.service");
    const { stdout } = spawnSync("systemd-analyze", ["security", "--offline=yes", unit], { encoding: "utf8" });
    const [, level = ""] = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout) ?? [];
    expect(level).toMatch(/^\d/);
    expect(Number(level)).toBeLessThan(2);
  });
});

const fault = CleanSystem.fault();
const describeSystem = fault === undefined || process.env.CI ? describe : describe.skip;

/** Starts `command` in the background as `user`, asks for its health, ends it, and prints what it said. */
const trial = (user: string, command: string, health: string): string => `
  runuser -u ${user} -- ${command} >/tmp/said 2>&1 &
  server=$!
  for _ in $(seq 600); do grep -q '"listening"' /tmp/said && break; kill -0 $server || break; sleep 0.1; done
  ${health}; healthy=$?
  pkill -TERM -u ${user} -f upkeep-server; wait $server
  cat /tmp/said
  exit $healthy`;
const IS_HEALTHY = `/usr/bin/node -e "fetch('http://127.0.0.1:18080/health').then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"`;

describeSystem(`the server on a system with the real dpkg${fault === undefined ? "" : ` (${fault})`}`, () => {
  let system: CleanSystem;
  let count = 0;

  beforeEach(async () => {
    system = await CleanSystem.start(join(folder, `system-${++count}`));
    system.copy(first, "tmp/packages/first.deb");
    system.copy(second, "tmp/packages/second.deb");
  }, LONG_MS);

  afterEach(() => system.stop());

  const [, started = ""] = /^ExecStart=(.*)$/m.exec(UNIT) ?? [];
  const command = started.replace("$UPKEEP_SERVER_OPTIONS", "--listen 127.0.0.1:18080");
  const users = "upkeep-server user list --data /var/lib/upkeep-server";

  it("is installed, started by the command of its unit, upgraded with its data, removed and purged", {
    timeout: LONG_MS,
  }, () => {
    expect(command).toContain("/usr/bin/upkeep-server serve");
    system.output("dpkg --install /tmp/packages/first.deb");
    for (const program of ["upkeep-server", "upkeepctl"])
      expect(system.output(`${program} --version`)).toMatch(/^\d+\.\d+\.\d+$/);
    expect(system.output("upkeepctl --help")).toContain("upkeepctl deploy <release>");
    expect(system.run("[ -L /etc/systemd/system/multi-user.target.wants/upkeep-server.service ]").code).toBe(0);
    // What StateDirectory= does where systemd starts it.
    system.output("install -d -o upkeep-server -g upkeep-server -m 0700 /var/lib/upkeep-server");
    expect(system.output(trial("upkeep-server", command, IS_HEALTHY))).toContain("password:");
    const before = system.output(`runuser -u upkeep-server -- ${users}`);
    expect(before).toContain("admin@example.com");

    system.output("echo 'UPKEEP_SERVER_OPTIONS=--listen 127.0.0.1:1' >/etc/default/upkeep-server");
    system.output("dpkg --install --force-confold /tmp/packages/second.deb");
    expect(system.output("dpkg-query --show upkeep-server")).toBe("upkeep-server\t1.1");
    expect(system.output("cat /etc/default/upkeep-server")).toContain("127.0.0.1:1");
    expect(system.output(trial("upkeep-server", command, IS_HEALTHY))).not.toContain("password:");
    expect(system.output(`runuser -u upkeep-server -- ${users}`)).toBe(before);

    system.output("dpkg --remove upkeep-server");
    expect(system.run("[ -e /usr/bin/upkeep-server ] || [ ! -e /var/lib/upkeep-server ]").code).toBe(1);
    system.output("dpkg --purge upkeep-server");
    expect(system.output("find /etc /var/lib /usr -xdev -name '*upkeep-server*' ! -path '/var/lib/dpkg/*'")).toBe("");
  });
});

describe("the Containerfile", () => {
  /** The words of an instruction in JSON form. */
  const words = (instruction: string): readonly string[] => {
    const [, list = "[]"] = new RegExp(`^${instruction}[^\\[\\n]*(\\[.*\\])$`, "m").exec(CONTAINERFILE) ?? [];
    return JSON.parse(list) as string[];
  };

  it("runs as a user without rights, keeps its data in a volume, and names the port that it listens on", () => {
    expect(CONTAINERFILE).toMatch(/^USER 10001$/m);
    expect(CONTAINERFILE).toMatch(/^VOLUME \/var\/lib\/upkeep-server$/m);
    const [, port] = /^EXPOSE (\d+)$/m.exec(CONTAINERFILE) ?? [];
    expect(words("CMD").join(" ")).toContain(`--data /var/lib/upkeep-server --listen 0.0.0.0:${port}`);
    expect(words("HEALTHCHECK").join(" ")).toContain(`http://127.0.0.1:${port}/health`);
  });

  /** No registry of images can be asked here: the steps are run without a builder, in a root of their own. */
  (fault === undefined || process.env.CI ? it : it.skip)(
    "starts the server with the steps that it has after the build, and its health check says so",
    { timeout: LONG_MS },
    async () => {
      const system = await CleanSystem.start(join(folder, "container"));
      try {
        execFileSync(process.execPath, [join(ROOT, "systemd/server/stage.mjs"), join(folder, "staged")]);
        const archive = join(folder, "staged.tar");
        execFileSync("tar", ["-C", join(folder, "staged"), "-cf", archive, "."]);
        system.copy(archive, "tmp/staged.tar");
        system.output("mkdir -p /opt/upkeep-server && tar -C /opt/upkeep-server -xf /tmp/staged.tar");
        const [, , runs = ""] = CONTAINERFILE.split(/^FROM /m);
        const [, setUp = ""] = /^RUN ((?:.*\\\n)*.*)$/m.exec(runs) ?? [];
        system.output(setUp);
        const [program = "", ...script] = words("HEALTHCHECK");
        const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
        const health = [program, ...script].map(quote).join(" ");
        const start = ["env", "PATH=/usr/local/bin:/usr/bin:/bin", ...words("ENTRYPOINT"), ...words("CMD")].join(" ");
        expect(system.output(trial("upkeep-server", start, health))).toContain('"listening"');
      } finally {
        await system.stop();
      }
    },
  );
});
