import { readdir, writeFile } from "node:fs/promises";
import type { ArtifactPlan } from "@upkeep/shared/artifact/write";
import type { Timers } from "@upkeep/shared/system";
import { describe, expect, it } from "vitest";
import { DEFAULT_UPDATE_SETTINGS } from "../../../agent/update/update-settings.ts";
import { appears } from "../../support/waiting.ts";
import { artifactBytes, sourceFile, sourceOf } from "../support/artifacts.ts";
import { TestDevice } from "../support/device.ts";

const TREE = "data/modules/v3/payloads/0000/tree";
const BIG = Buffer.alloc(700_001, "0123456789");

const PLAN: ArtifactPlan = {
  kind: "module-image",
  type: "recorder",
  artifactName: "release-2",
  artifactGroup: "beta",
  deviceTypes: ["board"],
  compression: "gzip",
  metaDataJson: '{"a": 1}',
  files: [sourceFile("first", "one\n"), sourceFile("empty", ""), sourceFile("big.bin", BIG)],
};

/** Reads every stream into `<root>/got/`, and notes the lines of stream-next. */
function streaming(device: TestDevice): string {
  return `
case "$1" in
Download|DownloadWithFileSizes)
  mkdir -p ${device.path("got")}
  while :; do
    line=$(cat stream-next)
    echo "line:$line" >> ${device.path("lines")}
    [ -n "$line" ] || exit 0
    name=\${line%% *}
    cat "$name" > ${device.path("got")}/"\${name#streams/}"
  done;;
esac`;
}

describe("the streams of an update module", () => {
  it("carry each file, then say that there is no more", async () => {
    await using device = await TestDevice.create();
    await device.installModule("recorder", streaming(device));
    const engine = await device.engine();
    expect(await engine.install(sourceOf(await artifactBytes(PLAN)))).toMatchObject({ kind: "committed" });
    expect(await device.text("lines")).toBe("line:streams/first\nline:streams/empty\nline:streams/big.bin\nline:\n");
    expect(await device.text("got/first")).toBe("one\n");
    expect(await device.text("got/empty")).toBe("");
    expect(await device.text("got/big.bin")).toBe(BIG.toString());
    expect(await device.calls()).toEqual([
      ...["ProvidePayloadFileSizes", "Download", "ArtifactInstall", "NeedsArtifactReboot", "SupportsRollback"],
      ...["ArtifactCommit", "Cleanup"],
    ]);
  });

  it("are few, however many files there are", async () => {
    await using device = await TestDevice.create();
    await device.installModule(
      "recorder",
      `[ "$1" = Download ] || exit 0
while line=$(cat stream-next) && [ -n "$line" ]; do cat "$line" >> ${device.path("got")}; done`,
    );
    // Notes how many FIFOs each run of mkfifo makes.
    await writeFile(
      device.path("mkfifo"),
      `#!/bin/sh\necho "$#" >> ${device.path("made")}\nexec /usr/bin/mkfifo "$@"\n`,
      { mode: 0o755 },
    );
    const names = Array.from({ length: 200 }, (_, index) => `file-${index}`);
    const plan = { ...PLAN, files: names.map((name) => sourceFile(name, `${name}\n`)) };
    const path = process.env.PATH;
    process.env.PATH = `${device.root}:${path}`;
    try {
      const engine = await device.engine();
      expect(await engine.install(sourceOf(await artifactBytes(plan)))).toMatchObject({ kind: "committed" });
    } finally {
      process.env.PATH = path;
    }
    expect(await device.text("got")).toBe(names.map((name) => `${name}\n`).join(""));
    // Before the paths come three arguments.
    const made = (await device.text("made"))
      .trim()
      .split("\n")
      .map((count) => Number(count) - 3);
    expect(made.reduce((sum, count) => sum + count)).toBeLessThan(10);
    expect(await readdir(device.path("data/modules/v3/payloads"))).toEqual([]);
  });

  it("bring each file to its own reader, also while earlier ones are still being read", async () => {
    await using device = await TestDevice.create();
    await device.installModule(
      "recorder",
      `[ "$1" = Download ] || exit 0
number=3
while line=$(cat stream-next) && [ -n "$line" ]; do
  eval "exec $number< $line"
  number=$((number + 1))
done
for number in 3 4 5 6 7 8 9; do eval "cat <&$number" >> ${device.path("got")}; done`,
    );
    const names = Array.from({ length: 7 }, (_, index) => `file-${index}`);
    const plan = { ...PLAN, files: names.map((name) => sourceFile(name, `${name}\n`)) };
    const engine = await device.engine();
    expect(await engine.install(sourceOf(await artifactBytes(plan)))).toMatchObject({ kind: "committed" });
    expect(await device.text("got")).toBe(names.map((name) => `${name}\n`).join(""));
  });

  it("name the sizes too when the module asks for them", async () => {
    await using device = await TestDevice.create();
    await device.installModule("recorder", `[ "$1" = ProvidePayloadFileSizes ] && echo Yes\n${streaming(device)}`);
    const engine = await device.engine();
    await engine.install(sourceOf(await artifactBytes(PLAN)));
    expect(await device.text("lines")).toBe(
      "line:streams/first 4\nline:streams/empty 0\nline:streams/big.bin 700001\nline:\n",
    );
  });

  it("stand beside the files of the protocol, and the files are stored if nobody reads", async () => {
    await using device = await TestDevice.create();
    await device.installModule(
      "recorder",
      `case "$1" in
Download) find . | LC_ALL=C sort > ${device.path("during")};;
ArtifactInstall)
  find . | LC_ALL=C sort > ${device.path("after")}
  for file in version current_device_type current_artifact_name current_artifact_group header/*; do
    echo "$file=$(cat $file)" >> ${device.path("contents")}
  done
  cat files/big.bin > ${device.path("big")}
  pwd > ${device.path("pwd")}; echo "$2" > ${device.path("argument")};;
esac`,
    );
    const engine = await device.engine();
    expect(await engine.install(sourceOf(await artifactBytes(PLAN)))).toMatchObject({ kind: "committed" });
    const common = (await device.text("during")).trim().split("\n");
    expect(common).toEqual([
      ...[".", "./current_artifact_group", "./current_artifact_name", "./current_device_type", "./header"],
      ...["./header/artifact_group", "./header/artifact_name", "./header/header-info", "./header/meta-data"],
      ...["./header/payload_type", "./header/type-info", "./stream-next", "./streams", "./tmp", "./version"],
    ]);
    expect((await device.text("after")).trim().split("\n")).toEqual(
      [
        ...common.filter((path) => !path.startsWith("./stream")),
        ...["./files", "./files/big.bin", "./files/empty", "./files/first"],
      ].sort(),
    );
    const contents = await device.text("contents");
    expect(contents).toContain("version=3\ncurrent_device_type=board\ncurrent_artifact_name=\n");
    expect(contents).toContain("header/artifact_group=beta\nheader/artifact_name=release-2\n");
    expect(contents).toContain("header/payload_type=recorder\n");
    expect(contents).toMatch(/header\/meta-data=\{"a": ?1\}\n/);
    expect(await device.text("big")).toBe(BIG.toString());
    expect(await device.text("pwd")).toBe(`${device.path(TREE)}\n`);
    expect(await device.text("argument")).toBe(`${device.path(TREE)}\n`);
    expect(await readdir(device.path("data/modules/v3/payloads"))).toEqual([]);
  });

  it("fail the update when the module ends before it has read everything", async () => {
    await using device = await TestDevice.create();
    await device.installModule("recorder", `[ "$1" = Download ] && cat stream-next && head -c 2 streams/first; exit 0`);
    const engine = await device.engine();
    const result = await engine.install(sourceOf(await artifactBytes(PLAN)));
    expect(result).toMatchObject({
      kind: "failed",
      device: "old",
      failure: {
        code: "module-stream-incomplete",
        message: 'the update module "recorder" ended its Download before it had read the payload to its end',
      },
    });
    expect(await device.calls()).toEqual(["ProvidePayloadFileSizes", "Download", "Cleanup"]);
  });

  it("end the module when a byte of the payload is wrong, and store nothing of it", async () => {
    for (const body of [(device: TestDevice) => streaming(device), () => ":"]) {
      await using device = await TestDevice.create();
      await device.installModule("recorder", body(device));
      const bytes = await artifactBytes({ ...PLAN, compression: "none" });
      const at = bytes.indexOf("0123456789".repeat(100));
      bytes[at + 5000] = 0;
      const engine = await device.engine();
      expect(await engine.install(sourceOf(bytes))).toMatchObject({
        kind: "failed",
        device: "old",
        artifactName: "release-2",
        failure: { code: "checksum-mismatch", message: expect.stringContaining("data/0000/big.bin") },
      });
      expect(await device.calls()).toEqual(["ProvidePayloadFileSizes", "Download", "Cleanup"]);
      expect(await readdir(device.path("data/modules/v3/payloads"))).toEqual([]);
    }
  });

  it("end the module when the artifact is cut short", async () => {
    await using device = await TestDevice.create();
    await device.installModule("recorder", streaming(device));
    const bytes = await artifactBytes({ ...PLAN, compression: "none" });
    const engine = await device.engine();
    expect(await engine.install(sourceOf(bytes.subarray(0, bytes.length - 200_000)))).toMatchObject({
      kind: "failed",
      device: "old",
      failure: { code: "truncated" },
    });
    expect(await device.calls()).toEqual(["ProvidePayloadFileSizes", "Download", "Cleanup"]);
  });

  it("stop nothing else when eight modules never read them", async () => {
    const devices = await Promise.all(Array.from({ length: 8 }, () => TestDevice.create()));
    try {
      const stop = new AbortController();
      const hanging = devices.map(async (device) => {
        // Opens the first stream, takes a little of it, and then never again.
        await device.installModule(
          "recorder",
          `[ "$1" = Download ] || exit 0
line=$(cat stream-next); cat "$line" > /dev/null; line=$(cat stream-next); cat "$line" > /dev/null
line=$(cat stream-next); exec < "$line"; touch ${device.path("opened")}; exec sleep 1000`,
        );
        return await (await device.engine()).install(sourceOf(await artifactBytes(PLAN)), stop.signal);
      });
      const opened = Promise.all(devices.map((device) => appears(device.path("opened"))));
      await Promise.race([opened, Promise.all(hanging)]);
      await using other = await TestDevice.create();
      await other.installModule("recorder", streaming(other));
      expect(await (await other.engine()).install(sourceOf(await artifactBytes(PLAN)))).toMatchObject({
        kind: "committed",
      });
      stop.abort(new Error("enough"));
      expect(await Promise.all(hanging)).toEqual(devices.map(() => ({ kind: "interrupted", state: "Download" })));
    } finally {
      for (const device of devices) await device[Symbol.asyncDispose]();
    }
  });

  it("do not keep a module that hangs from being killed in time, with all that it started", async () => {
    await using device = await TestDevice.create();
    await device.installModule(
      "recorder",
      `[ "$1" = Download ] || exit 0
trap "" TERM
(trap "" TERM; sleep 1000) &
echo $! > ${device.path("child.new")}
mv ${device.path("child.new")} ${device.path("child")}
wait`,
    );
    const settings = { ...DEFAULT_UPDATE_SETTINGS, moduleTimeoutMs: 300, killGraceMs: 200 };
    const { timers } = device.system;
    /** The module's time is over as soon as it has started what hangs. */
    const after: Timers["after"] = (delayMs, action) => {
      if (delayMs !== settings.moduleTimeoutMs) return timers.after(delayMs, action);
      let isCancelled = false;
      void appears(device.path("child")).then(() => {
        if (!isCancelled) action();
      });
      return {
        cancel: () => {
          isCancelled = true;
        },
      };
    };
    const system = { ...device.system, timers: { ...timers, after } };
    const engine = await device.engine({ settings, system });
    expect(await engine.install(sourceOf(await artifactBytes(PLAN)))).toMatchObject({
      kind: "failed",
      failure: {
        code: "module-timeout",
        message: "update module recorder did not end within 0.3 s and was killed in Download",
      },
    });
    const child = Number(await device.text("child"));
    expect(await device.system.files.status(`/proc/${child}/exe`)).toBeUndefined();
  });

  it("do not wait for a source that stalls when the module has gone", async () => {
    await using device = await TestDevice.create();
    await device.installModule(
      "recorder",
      `[ "$1" = Download ] && cat stream-next && head -c 2 streams/big.bin && exit 7; exit 0`,
    );
    const bytes = await artifactBytes({ ...PLAN, compression: "none", files: [sourceFile("big.bin", BIG)] });
    const stalling = {
      ...sourceOf(bytes),
      content: (async function* () {
        yield bytes.subarray(0, bytes.length - 200_000);
        await new Promise(() => undefined);
      })(),
    };
    expect(await (await device.engine()).install(stalling)).toMatchObject({
      kind: "failed",
      failure: { code: "module-failed", message: "update module recorder exited with code 7 in Download" },
    });
  });
});
