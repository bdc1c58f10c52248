import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, existsSync, fstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOG_LEVELS } from "@upkeep/shared/logging";
import { beforeEach, describe, expect, it } from "vitest";
import { barLine } from "../../../agent/cli/progress.ts";
import { KEYS } from "../../../agent/config/keys.ts";
import { VERSION } from "../../../agent/version.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { copyArtifact, createDevice, softwareOf, UPKEEP, upkeep } from "./device.ts";

const directory = temporaryDirectory();
let root: string;
let count = 0;

beforeEach(() => {
  root = join(directory, String(++count));
  createDevice(root, "http://127.0.0.1:9");
});

async function artifactFile(name: string, content: string, deviceType?: string): Promise<string> {
  const path = join(directory, `${name}.mender`);
  writeFileSync(path, await copyArtifact(name, content, deviceType));
  return path;
}

describe("upkeep", () => {
  it("has the version of its package, and the log levels of its log", () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../../agent/package.json"), "utf8"));
    expect(VERSION).toBe(version);
    expect(upkeep(root, "--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    expect([...KEYS.DaemonLogLevel.type.choices].sort()).toEqual([...LOG_LEVELS].sort());
  });

  it.each([
    ["commit", "--version"],
    ["install", "x.mender", "-v"],
    ["show-artifact", "--version"],
  ])("does not take '%s %s' for a question about the version", (...args) => {
    const { code, stdout, stderr } = upkeep(root, ...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^upkeep: Unknown arguments?: .*\(see 'upkeep --help'\)\n$/);
  });

  it.each(["show-artifact", "status", "show-provides"])(
    "fails, in a sentence, if what %s says cannot be written",
    (command) => {
      const full = openSync("/dev/full", "w");
      const { status, stderr } = spawnSync(process.execPath, [UPKEEP, "--root", root, command], {
        encoding: "utf8",
        stdio: ["ignore", full, "pipe"],
      });
      closeSync(full);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: "upkeep: standard output cannot be written: ENOSPC: no space left on device, write\n",
      });
    },
  );

  it("goes on with an installation whose output has no reader any more", async () => {
    const path = await artifactFile("r3", "three");
    const line = '"$0" "$1" --root "$2" install "$3" | true; exit $PIPESTATUS';
    const { status, stderr } = spawnSync("bash", ["-c", line, process.execPath, UPKEEP, root, path], {
      encoding: "utf8",
    });
    expect(stderr).toMatch(/^upkeep: standard output cannot be written: .*EPIPE.*\n$/);
    expect(status).toBe(1);
    expect(softwareOf(root)).toBe("three");
    expect(upkeep(root, "commit").code).toBe(0);
  });

  it("loads no network to show what is installed", () => {
    const preload = join(directory, "preload.cjs");
    writeFileSync(preload, 'process.on("exit", () => console.log(process.moduleLoadList.join("\\n")));');
    const loaded = (...args: string[]): string =>
      execFileSync(process.execPath, ["--require", preload, UPKEEP, "--root", root, ...args], { encoding: "utf8" });
    expect(loaded("show-artifact")).toContain("NativeModule fs");
    expect(loaded("show-artifact")).not.toMatch(/^NativeModule (http|https|tls)$/m);
    expect(loaded("--help")).not.toMatch(/^NativeModule (http|https|tls|child_process|worker_threads)$/m);
  });

  it.each([
    [[], "upkeep: Which command? (see 'upkeep --help')\n"],
    [["instal"], "upkeep: Did you mean install? (see 'upkeep --help')\n"],
    [["show-artifact", "--colour"], "upkeep: Unknown argument: colour (see 'upkeep --help')\n"],
    [["show-artifact", "more"], "upkeep: Unknown argument: more (see 'upkeep --help')\n"],
    [["install"], "upkeep: Not enough non-option arguments: got 0, need at least 1 (see 'upkeep --help')\n"],
    [["install", "/no/such.mender"], /^upkeep: cannot read the artifact \/no\/such\.mender: ENOENT.*\n$/],
    [["install", "/"], "upkeep: / is a directory, not an artifact\n"],
    [["--config", "/no/such.conf", "show-artifact"], "upkeep: the configuration /no/such.conf does not exist\n"],
    [["check-update"], /^upkeep: no upkeep daemon runs with .*\/var\/lib\/mender; .*'upkeep check'.*\n$/],
    [["send-inventory"], /^upkeep: no upkeep daemon runs with .*\/var\/lib\/mender; .*'upkeep check'.*\n$/],
  ])("says in one line what is wrong with %j", (args, message) => {
    const { code, stdout, stderr } = upkeep(root, ...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    if (typeof message === "string") expect(stderr).toBe(message);
    else expect(stderr).toMatch(message);
  });

  it("says where its configuration is not JSON, and starts nothing", () => {
    const path = join(root, "etc/mender/mender.conf");
    writeFileSync(path, '{\n  "ServerURL": "http://a",\n}\n');
    for (const command of ["daemon", "show-artifact"]) {
      expect(upkeep(root, command)).toEqual({
        code: 1,
        stdout: "",
        stderr: `upkeep: ${path}: not JSON from line 3, column 1 on\n`,
      });
    }
  });

  it("takes paths as those of the directory in which it is called, and the last of an option given twice", () => {
    const relative = (...args: string[]): string =>
      execFileSync(process.execPath, [UPKEEP, ...args], { encoding: "utf8", cwd: directory, stdio: "pipe" });
    writeFileSync(
      join(root, "var/lib/mender/upkeep-store.json"),
      '{"version":1,"provides":{"artifact_name":"r9"},"update":null}',
    );
    expect(relative("--root", "nowhere", "--root", String(count), "show-artifact")).toBe("r9\n");
  });

  it("shows what is installed without touching anything, even a store that is broken or being written", () => {
    const store = join(root, "var/lib/mender/upkeep-store.json");
    writeFileSync(store, "{");
    writeFileSync(`${store}.new`, "half");
    const { code, stdout, stderr } = upkeep(root, "show-artifact");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "unknown\n" });
    expect(stderr).toContain("upkeep-store.json cannot be used: it is not JSON");
    expect(readFileSync(store, "utf8")).toBe("{");
    expect(readFileSync(`${store}.new`, "utf8")).toBe("half");
    expect(upkeep(join(directory, "never"), "show-artifact").stdout).toBe("unknown\n");
    expect(existsSync(join(directory, "never"))).toBe(false);
  });

  it("warns of keys that it does not know", () => {
    writeFileSync(join(root, "etc/mender/mender.conf"), '{"ServerUrll": "x"}');
    const { code, stderr } = upkeep(root, "--log-format", "plain", "show-artifact");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^\S+ warning .*mender\.conf: unknown key ServerUrll is ignored\n$/);
  });

  it("logs as it is told to", () => {
    writeFileSync(join(root, "etc/mender/mender.conf"), '{"Nonsense": 1}');
    const line = (format: string): string => upkeep(root, "--log-format", format, "show-artifact").stderr;
    expect(line("journal")).toMatch(/^<4>\/.*unknown key Nonsense is ignored\n$/);
    expect(JSON.parse(line("json"))).toMatchObject({ level: "warning", message: expect.stringContaining("Nonsense") });
    expect(upkeep(root, "--log-level", "error", "show-artifact").stderr).toBe("");
    expect(upkeep(root, "--log-level", "loud", "show-artifact").code).toBe(1);
  });
});

describe("the log under systemd", () => {
  it("has a priority on each line where the journal reads it, and only there", () => {
    writeFileSync(join(root, "etc/mender/mender.conf"), '{"Nonsense": 1}');
    const path = join(root, "stderr");
    const errors = openSync(path, "w");
    const { dev, ino } = fstatSync(errors, { bigint: true });
    for (const stream of [`${dev}:${ino}`, `${dev}:1`]) {
      spawnSync(process.execPath, [UPKEEP, "--root", root, "show-artifact"], {
        stdio: ["ignore", "ignore", errors],
        env: { ...process.env, JOURNAL_STREAM: stream },
      });
    }
    closeSync(errors);
    const [journal, other] = readFileSync(path, "utf8").trim().split("\n");
    expect(journal).toMatch(/^<4>.*unknown key Nonsense/);
    expect(other).toMatch(/^warning: .*unknown key Nonsense/);
  });
});

describe("the bundle", () => {
  it("is one file, without the server and without what only the server needs", () => {
    const bundle = readFileSync(join(UPKEEP, "../../dist/upkeep.cjs"), "utf8");
    expect(bundle.length).toBeLessThan(1_200_000);
    for (const foreign of ["fastify", "kysely", "better-sqlite3", "lzma-native", "toJSONSchema("]) {
      expect(bundle).not.toContain(foreign);
    }
  });
});

describe("updates by hand", () => {
  it("are installed, then committed", async () => {
    expect(upkeep(root, "show-artifact")).toEqual({ code: 0, stdout: "unknown\n", stderr: "" });
    expect(upkeep(root, "install", await artifactFile("r1", "one"))).toEqual({
      code: 0,
      stdout:
        "Installing artifact...\nInstalled r1, but not committed.\nUse 'upkeep commit' to keep it, or 'upkeep rollback' to go back.\n",
      stderr: "",
    });
    expect(softwareOf(root)).toBe("one");
    expect(upkeep(root, "show-artifact").stdout).toBe("unknown\n");
    expect(upkeep(root, "install", await artifactFile("r2", "two"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('upkeep: an update installed by hand of artifact "r1" has not come to its end'),
    });
    expect(upkeep(root, "commit")).toEqual({ code: 0, stdout: "Committed r1.\n", stderr: "" });
    expect(upkeep(root, "show-provides").stdout).toBe("artifact_name=r1\nrootfs-image.copy.version=r1\n");
    expect(softwareOf(root)).toBe("one");
  });

  it("are installed, then rolled back", async () => {
    writeFileSync(join(root, "software"), "before");
    expect(upkeep(root, "install", await artifactFile("r3", "three")).code).toBe(0);
    expect(softwareOf(root)).toBe("three");
    expect(upkeep(root, "rollback")).toEqual({ code: 0, stdout: "Rolled back r3.\n", stderr: "" });
    expect(softwareOf(root)).toBe("before");
    expect(upkeep(root, "show-artifact").stdout).toBe("unknown\n");
  });

  it("can be neither committed nor rolled back when there are none: 2", () => {
    for (const command of ["commit", "rollback"]) {
      expect(upkeep(root, command)).toEqual({ code: 2, stdout: "", stderr: "upkeep: no update is in progress\n" });
    }
  });

  it("ask for a reboot by the exit code 4, if they are told to", async () => {
    const module = join(root, "usr/share/mender/modules/v3/copy");
    writeFileSync(module, readFileSync(module, "utf8").replace("echo No", "echo Yes"));
    const { code, stdout } = upkeep(root, "install", "--reboot-exit-code", await artifactFile("r4", "four"));
    expect(code).toBe(4);
    expect(stdout).toContain("The update needs a reboot of the device.\n");
  });

  it("let the update module know which configuration they were given", async () => {
    const module = join(root, "usr/share/mender/modules/v3/copy");
    // The agent's own module, asked for what it cannot do without the right files.
    const own = `"${process.execPath}" "${UPKEEP}" module rootfs-image ArtifactCommit "$2" 2>&1 || :`;
    writeFileSync(module, readFileSync(module, "utf8").replace("esac", `  ArtifactCommit) ${own} ;;\nesac`));
    const main = join(root, "other.conf");
    const fallback = join(root, "fallback.conf");
    writeFileSync(main, JSON.stringify({ RootfsPartA: "/dev/sda2" }));
    writeFileSync(fallback, "{}");
    const args = ["--config", main, "--fallback-config", fallback, "--log-level", "info"];
    expect(upkeep(root, ...args, "install", await artifactFile("r7", "seven")).code).toBe(0);
    const { code, stderr } = upkeep(root, ...args, "commit");
    expect(code).toBe(0);
    expect(stderr).toContain(`RootfsPartB is configured neither in ${fallback} nor in ${main}`);
    const direct = upkeep(root, "--config", "/no/such.conf", "module", "rootfs-image", "ArtifactCommit", root);
    expect(direct).toMatchObject({ code: 1, stderr: expect.stringContaining("/no/such.conf does not exist") });
  });

  it("that fail leave the device as it was and say why", async () => {
    writeFileSync(join(root, "software"), "before");
    const wrong = upkeep(root, "install", await artifactFile("r5", "five", "other-board"));
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(
      /^upkeep: artifact "r5" is not for this device: .*\nThe device runs what it ran before\.\n$/,
    );
    const flipped = join(directory, "flipped.mender");
    const bytes = await copyArtifact("r6", "x".repeat(5000));
    bytes.write("y", bytes.lastIndexOf("xxxxx"));
    writeFileSync(flipped, bytes);
    const { code, stderr } = upkeep(root, "install", flipped);
    expect(code).toBe(1);
    expect(stderr).toContain("The device runs what it ran before.\n");
    expect(softwareOf(root)).toBe("before");
    expect(upkeep(root, "commit").code).toBe(2);
  });
});

describe("the progress bar", () => {
  it("shows how far it is, and how much has come where the whole is not known", () => {
    expect(barLine(0, 100)).toBe(`[${" ".repeat(40)}]   0%  0.0 MiB`);
    expect(barLine(5 * 1024 * 1024, 10 * 1024 * 1024)).toBe(`[${"#".repeat(20)}${" ".repeat(20)}]  50%  5.0 MiB`);
    expect(barLine(100, 100)).toBe(`[${"#".repeat(40)}] 100%  0.0 MiB`);
    expect(barLine(3 * 1024 * 1024, undefined)).toBe("3.0 MiB");
  });
});
