import { execFile } from "node:child_process";
import { access, chmod, cp, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { sourceOf } from "../support/artifacts.ts";
import { TestDevice } from "../support/device.ts";

const run = promisify(execFile);
const MODULES = "/usr/share/mender/modules/v3";

const present = await Promise.all([access(MODULES), run("mender-artifact", ["--version"])]).then(
  () => true,
  () => false,
);
// Here a skip would hide that nothing was shown.
const missing = !present && process.env.CI !== "true";

afterEach(() => vi.unstubAllEnvs());

async function withModule(type: string): Promise<TestDevice> {
  const device = await TestDevice.create();
  await cp(`${MODULES}/${type}`, device.path(`modules/${type}`));
  return device;
}

async function write(
  device: TestDevice,
  type: string,
  name: string,
  files: readonly string[],
  more: readonly string[] = [],
) {
  const path = device.path(`${name}.mender`);
  const named = files.flatMap((file) => ["-f", device.path(file)]);
  await run("mender-artifact", [
    ...["write", "module-image", "-T", type, "-t", "board", "-n", name, "-o", path],
    ...[...named, ...more],
  ]);
  return sourceOf(await readFile(path));
}

describe.skipIf(missing)("update modules of Debian's mender-client, with artifacts of mender-artifact", () => {
  for (const compression of ["none", "gzip", "lzma"]) {
    it(`single-file puts a file in place, and takes it back: ${compression}`, async () => {
      await using device = await withModule("single-file");
      const target = device.path("etc/greeting");
      await mkdir(device.path("etc"));
      await writeFile(target, "hello from before\n");
      await writeFile(device.path("greeting"), "hello\n");
      await writeFile(device.path("dest_dir"), `${device.path("etc")}\n`);
      await writeFile(device.path("filename"), "greeting\n");
      await writeFile(device.path("permissions"), "640\n");
      const files = ["dest_dir", "filename", "permissions", "greeting"];
      const source = await write(device, "single-file", "greeting-1", files, ["--compression", compression]);
      const engine = await device.engine();
      expect(await engine.install(source)).toEqual({
        kind: "awaiting-commit",
        artifactName: "greeting-1",
        rebootNeeded: false,
      });
      expect(await readFile(target, "utf8")).toBe("hello\n");
      expect((await stat(target)).mode & 0o777).toBe(0o640);
      const later = await device.engine();
      expect(await later.rollback()).toEqual({ kind: "rolled-back", artifactName: "greeting-1" });
      expect(await readFile(target, "utf8")).toBe("hello from before\n");

      const again = await write(device, "single-file", "greeting-2", files);
      await later.install(again);
      expect(await (await device.engine()).commit()).toMatchObject({ kind: "committed", artifactName: "greeting-2" });
      expect(await readFile(target, "utf8")).toBe("hello\n");
      expect(await device.provides()).toEqual({
        artifact_name: "greeting-2",
        "rootfs-image.single-file.version": "greeting-2",
      });
    });
  }

  it("directory replaces a directory, and takes it back", async () => {
    await using device = await withModule("directory");
    await mkdir(device.path("app"));
    await writeFile(device.path("app/old"), "old");
    await mkdir(device.path("new"));
    await writeFile(device.path("new/fresh"), "fresh");
    await run("tar", ["-cf", device.path("update.tar"), "-C", device.path("new"), "."]);
    await writeFile(device.path("dest_dir"), `${device.path("app")}\n`);
    const engine = await device.engine();
    await engine.install(await write(device, "directory", "app-1", ["dest_dir", "update.tar"]));
    expect(await device.text("app/fresh")).toBe("fresh");
    expect(await engine.rollback()).toMatchObject({ kind: "rolled-back" });
    expect(await device.text("app/old")).toBe("old");
  });

  it("script runs what it is sent, and is committed at once as it cannot go back", async () => {
    await using device = await withModule("script");
    await writeFile(device.path("hello.sh"), `#!/bin/sh\necho ran > ${device.path("ran")}\n`);
    await chmod(device.path("hello.sh"), 0o755);
    const engine = await device.engine();
    const source = await write(device, "script", "script-1", ["hello.sh"]);
    expect(await engine.install(source)).toMatchObject({ kind: "committed", artifactName: "script-1" });
    expect(await device.text("ran")).toBe("ran\n");
    expect(engine.pending).toBeUndefined();
  });

  it("script tells a failure, and the device is not what it was", async () => {
    await using device = await withModule("script");
    await writeFile(device.path("bad.sh"), "#!/bin/sh\necho it is broken >&2\nexit 1\n", { mode: 0o755 });
    const engine = await device.engine();
    expect(await engine.install(await write(device, "script", "script-2", ["bad.sh"]))).toMatchObject({
      kind: "failed",
      device: "unknown",
      failure: { message: "update module script exited with code 1 in ArtifactInstall" },
    });
    expect(device.logged).toContain("info: update module script ArtifactInstall: it is broken");
    expect(await device.provides()).toEqual({ artifact_name: "script-2_INCONSISTENT" });
  });

  /** A program that notes how it is called, in front of the PATH of whatever the test starts. */
  async function standIn(device: TestDevice, name: string, body = ""): Promise<void> {
    await mkdir(device.path("bin"), { recursive: true });
    const script = `#!/bin/sh\necho "${name} $*" >>'${device.path("called")}'\n${body}\n`;
    await writeFile(device.path(`bin/${name}`), script, { mode: 0o755 });
    vi.stubEnv("PATH", `${device.path("bin")}:${process.env.PATH}`);
  }

  it("deb and rpm hand their packages to the package manager", async () => {
    await using device = await TestDevice.create();
    for (const [type, program] of Object.entries({ deb: "dpkg", rpm: "rpm" })) {
      await cp(`${MODULES}/${type}`, device.path(`modules/${type}`));
      await standIn(device, program);
      await writeFile(device.path(`hello.${type}`), "a package");
      const source = await write(device, type, `${type}-1`, [`hello.${type}`]);
      expect(await (await device.engine()).install(source)).toMatchObject({
        kind: "committed",
        artifactName: `${type}-1`,
      });
    }
    expect(await device.text("called")).toMatch(/^dpkg .*\/files\/hello\.deb\nrpm -U .*\/files\/hello\.rpm\n$/);
  });

  it("docker starts the containers that the meta-data names, and on the way back those that ran before", async () => {
    await using device = await withModule("docker");
    await standIn(device, "docker", '[ "$1" != ps ] || echo old-container');
    await writeFile(
      device.path("meta.json"),
      JSON.stringify({ containers: ["example.com/app:2"], run_args: "-p 80:80" }),
    );
    const engine = await device.engine();
    const source = await write(device, "docker", "app-2", [], ["--meta-data", device.path("meta.json")]);
    expect(await engine.install(source)).toMatchObject({ kind: "awaiting-commit" });
    expect(await engine.rollback()).toMatchObject({ kind: "rolled-back" });
    const called = (await device.text("called")).split("\n").filter((line) => !line.startsWith("docker ps"));
    expect(called).toEqual([
      "docker stop old-container",
      "docker pull example.com/app:2",
      "docker run -dt -p 80:80 example.com/app:2",
      "docker stop old-container",
      "docker start old-container",
      "",
    ]);
  });
});
