import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createAgentRoot, runUpkeep } from "../support/agent.ts";
import { makePackage, privateDpkg } from "../support/dpkg.ts";
import { describePeer } from "./peers.ts";

const PEER_MODULES = "/usr/share/mender/modules/v3";
const OWN_MODULES = join(import.meta.dirname, "../../agent/modules/shipped");
const GENERATORS = "/usr/share/doc/mender-client/examples";
const DEVICE_TYPE = "interop-board";
const TYPES = ["single-file", "directory", "script", "deb"] as const;

/** A client of update modules, with the modules of one directory. */
interface Client {
  run(command: string, ...args: string[]): { readonly exitCode: number | null; readonly output: string };
  artifactName(): string;
}

/** The real client, its fixed paths bound to directories of this device in a mount namespace of its own. */
function menderClient(folder: string, modules: string): Client {
  const [etc, share, data] = ["etc", "share", "data"].map((name) => join(folder, name)) as [string, string, string];
  for (const path of [etc, data, join(share, "modules/v3"), join(share, "identity"), join(share, "inventory")]) {
    mkdirSync(path, { recursive: true });
  }
  for (const type of TYPES) cpSync(join(modules, type), join(share, "modules/v3", type));
  writeFileSync(join(etc, "mender.conf"), "{}");
  writeFileSync(join(etc, "artifact_info"), "artifact_name=factory\n");
  writeFileSync(join(data, "device_type"), `device_type=${DEVICE_TYPE}\n`);
  const script = [
    'mount --bind "$1" /etc/mender && mount --bind "$2" /usr/share/mender || exit 99',
    'datastore=$3; shift 3; exec mender --config /etc/mender/mender.conf --data "$datastore" --no-syslog "$@"',
  ].join("\n");
  const run = (command: string, ...args: string[]) => {
    const words = ["--mount", "sh", "-c", script, "sh", etc, share, data, command, ...args];
    const { status, stdout, stderr } = spawnSync("unshare", words, { encoding: "utf8" });
    return { exitCode: status, stdout, output: stdout + stderr };
  };
  return { run, artifactName: () => run("show-artifact").stdout.trim() };
}

function ourAgent(folder: string, modules: string): Client {
  const root = join(folder, "root");
  createAgentRoot(root, {
    serverUrl: "http://127.0.0.1:9",
    deviceType: DEVICE_TYPE,
    identity: { mac: "02:00:5e:00:53:03" },
  });
  for (const type of TYPES) cpSync(join(modules, type), join(root, "usr/share/mender/modules/v3", type));
  return {
    run: (command, ...args) => {
      try {
        return { exitCode: 0, output: runUpkeep(root, [command, ...args]) };
      } catch (error) {
        const { status, stdout, stderr } = error as { status: number | null; stdout: string; stderr: string };
        return { exitCode: status, output: `${stdout}${stderr}` };
      }
    },
    artifactName: () => runUpkeep(root, ["show-artifact"]).trim(),
  };
}

/** All that is below a directory: names, kinds, modes, contents. */
function contentsOf(directory: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(directory, below)).sort()) {
    const path = join(below, name);
    const absolute = join(directory, path);
    const status = lstatSync(absolute);
    if (status.isSymbolicLink()) found[path] = `-> ${readlinkSync(absolute)}`;
    else if (status.isDirectory()) Object.assign(found, { [path]: modeOf(status.mode) }, contentsOf(directory, path));
    else found[path] = `${modeOf(status.mode)} ${readFileSync(absolute, "utf8")}`;
  }
  return found;
}

function modeOf(mode: number): string {
  return (mode & 0o7777).toString(8);
}

const CLIENTS = { "the real client": menderClient, "our agent": ourAgent };
const CASES = Object.keys(CLIENTS) as (keyof typeof CLIENTS)[];

describePeer(["mender", "mender-artifact"], "our update modules, with artifacts that the peers' tools make", () => {
  let folder: string;
  let target: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-modules-"));
    target = join(folder, "target");
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** An artifact by one of the peer's generators. They write it into a directory of ours. */
  function generate(generator: string, name: string, more: readonly string[]): string {
    const artifact = join(folder, `${name}.mender`);
    const flags = ["-n", name, "-t", DEVICE_TYPE, "-o", artifact, ...more];
    const made = spawnSync("bash", [join(GENERATORS, generator), ...flags], { cwd: folder, encoding: "utf8" });
    if (made.status !== 0) throw new Error(made.stdout + made.stderr);
    return artifact;
  }

  function moduleImage(type: string, name: string, files: readonly string[]): string {
    const artifact = join(folder, `${name}.mender`);
    const named = files.flatMap((file) => ["-f", file]);
    const flags = ["-T", type, "-n", name, "-t", DEVICE_TYPE, "-o", artifact, ...named];
    execFileSync("mender-artifact", ["write", "module-image", ...flags], { stdio: "pipe" });
    return artifact;
  }

  /** The same artifact with the peer's module and with ours: what is there afterwards must be the same. */
  function compare(
    client: keyof typeof CLIENTS,
    artifact: string,
    before: () => void,
    commands: readonly string[],
  ): void {
    const results = { theirs: PEER_MODULES, ours: OWN_MODULES } as const;
    const seen = Object.entries(results).map(([whose, modules]) => {
      rmSync(target, { recursive: true, force: true });
      before();
      const device = CLIENTS[client](join(folder, `${whose} ${client}`.replaceAll(" ", "-")), modules);
      const states: Record<string, unknown> = {};
      for (const command of ["install", ...commands]) {
        const { exitCode, output } = device.run(command, ...(command === "install" ? [artifact] : []));
        expect(exitCode, output).toBe(0);
        states[command] = existsSync(target) ? contentsOf(target) : "nothing";
      }
      return { states, name: device.artifactName() };
    });
    expect(seen[1]).toEqual(seen[0]);
  }

  describe.each(CASES)("under %s", (client) => {
    test.each([["rollback"], ["commit"]])("single-file over an older file, then %s", (command) => {
      const file = join(folder, "app.conf");
      writeFileSync(file, "new\n", { mode: 0o640 });
      const artifact = generate("single-file-artifact-gen", "file-1", ["-d", target, file]);
      const before = (): void => {
        mkdirSync(target);
        writeFileSync(join(target, "app.conf"), "old\n", { mode: 0o600 });
        writeFileSync(join(target, "other"), "untouched\n");
      };
      compare(client, artifact, before, [command]);
      expect(readFileSync(join(target, "app.conf"), "utf8")).toBe(command === "commit" ? "new\n" : "old\n");
    });

    test("single-file in a directory that is not there yet", () => {
      const file = join(folder, "app.conf");
      writeFileSync(file, "new\n");
      compare(client, generate("single-file-artifact-gen", "file-2", ["-d", target, file]), () => undefined, [
        "commit",
      ]);
    });

    test.each([["rollback"], ["commit"]])("directory over an older one, then %s", (command) => {
      const source = join(folder, "source");
      mkdirSync(join(source, "deep"), { recursive: true });
      writeFileSync(join(source, "deep/program"), "#!/bin/sh\n", { mode: 0o755 });
      symlinkSync("deep/program", join(source, "link"));
      chmodSync(source, 0o750);
      const artifact = generate("directory-artifact-gen", "directory-1", ["-d", target, source]);
      const before = (): void => {
        mkdirSync(target);
        writeFileSync(join(target, "old"), "old\n", { mode: 0o600 });
      };
      compare(client, artifact, before, [command]);
      expect(existsSync(join(target, "old"))).toBe(command === "rollback");
      expect(readdirSync(folder).filter((name) => name.includes("upkeep"))).toEqual([]);
    });

    test("script: it runs", () => {
      const script = join(folder, "hello.sh");
      writeFileSync(script, `#!/bin/sh\nmkdir -p '${target}'\necho "$# arguments" >'${target}/ran'\n`);
      compare(client, moduleImage("script", "script-1", [script]), () => undefined, []);
      expect(readFileSync(join(target, "ran"), "utf8")).toBe("0 arguments\n");
    });

    test("script: when it fails, so does the update, and the device keeps its artifact", () => {
      const script = join(folder, "fails.sh");
      writeFileSync(script, "#!/bin/sh\nexit 3\n");
      const artifact = moduleImage("script", "script-2", [script]);
      for (const modules of [PEER_MODULES, OWN_MODULES]) {
        const device = CLIENTS[client](mkdtempSync(join(folder, "device-")), modules);
        expect(device.run("install", artifact).exitCode).not.toBe(0);
        expect(device.artifactName()).not.toBe("script-2");
      }
    });

    test("deb: the package is installed", () => {
      const artifact = moduleImage("deb", "deb-1", [makePackage(folder, "upkeep-interop-test")]);
      const path = process.env.PATH;
      onTestFinished(() => {
        process.env.PATH = path;
      });
      for (const [whose, modules] of Object.entries({ theirs: PEER_MODULES, ours: OWN_MODULES })) {
        const dpkg = privateDpkg(join(folder, `dpkg-${whose}`));
        process.env.PATH = `${dpkg.bin}:${path}`;
        const device = CLIENTS[client](join(folder, whose), modules);
        const { exitCode, output } = device.run("install", artifact);
        expect(exitCode, output).toBe(0);
        expect(dpkg.installed()).toBe("upkeep-interop-test 1.0 install ok installed\n");
        expect(device.artifactName()).toBe("deb-1");
      }
    });
  });
});
