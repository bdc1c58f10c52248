import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DEFAULT_UPDATE_SETTINGS } from "../../agent/update/update-settings.ts";
import { sourceOf } from "../agent/support/artifacts.ts";
import { TestDevice } from "../agent/support/device.ts";
import { describePeer } from "./peers.ts";

/** The data directory, from the directory of a payload: what belongs to a payload is removed after the update. */
const SHOWN = "../../../../..";
const YES = "YesThisModuleSupportsAugmentedArtifacts";

interface Answers {
  readonly supports?: string;
  readonly types?: string;
  readonly permits?: unknown;
  /** Takes the payload through the FIFOs. */
  readonly streams?: boolean;
}

/** A module for binary deltas: shows what it was given. */
function deltaModule({ supports = YES, types = "rootfs-image", permits = {}, streams = false }: Answers): string {
  const take = streams
    ? `while line=$(cat stream-next) && [ -n "$line" ]; do echo "$line: $(cat "$line")" >> ${SHOWN}/streamed; done`
    : ":";
  return `
case "$1" in
  SupportsAugmentedArtifacts) echo "${supports}" ;;
  ListSupportedOriginalTypes) echo "${types}" ;;
  PermittedAugmentedHeaders) cat <<'END'
${JSON.stringify(permits)}
END
  ;;
  Download) ${take} ;;
  ArtifactInstall) find header header-augment files files-augment -type f 2>/dev/null | sort > ${SHOWN}/installed
    cat header/payload_type > ${SHOWN}/payload-type ;;
esac`;
}

const ALL = { "type-info": { artifact_depends: { "app.checksum": true } }, "meta-data": { level: true } };

describePeer(["mender-artifact", "openssl"], "an augmented artifact of the real mender-artifact", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-augmented-"));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function artifact(extra: readonly string[] = []): Buffer {
    const put = (name: string, content: string): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const path = join(folder, "new.mender");
    execFileSync(
      "mender-artifact",
      [
        ...["write", "module-image", "-T", "rootfs-image", "-n", "new", "-t", "board", "-o", path],
        ...["--augment-type", "delta", "--augment-file", put("update.delta", "the delta")],
        ...["-f", put("signed", "the signed file"), "--augment-meta-data", put("meta.json", '{"level": 3}')],
        ...["--augment-depends", "app.checksum:abc", ...extra],
      ],
      { stdio: "pipe" },
    );
    return readFileSync(path);
  }

  async function install(answers: Answers, content: Buffer, check: (device: TestDevice) => Promise<void>) {
    await using device = await TestDevice.create();
    await device.installModule("delta", deltaModule(answers));
    writeFileSync(
      device.path("data/upkeep-store.json"),
      JSON.stringify({ version: 1, provides: { artifact_name: "old", "app.checksum": "abc" }, update: null }),
    );
    const result = await (await device.engine()).install(sourceOf(content));
    await check(device);
    return result;
  }

  test("is installed by the module of its unsigned type, if that permits what is overridden", async () => {
    const result = await install({ permits: ALL }, artifact(), async (device) => {
      expect((await device.calls()).slice(0, 4)).toEqual([
        ...["SupportsAugmentedArtifacts", "ListSupportedOriginalTypes", "PermittedAugmentedHeaders"],
        "ProvidePayloadFileSizes",
      ]);
      expect((await device.text("data/installed")).trim().split("\n")).toEqual([
        ...["files-augment/update.delta", "files/signed", "header-augment/header-info", "header-augment/meta-data"],
        ...["header-augment/payload_type", "header-augment/type-info", "header/artifact_group"],
        ...["header/artifact_name", "header/header-info", "header/meta-data", "header/payload_type"],
        "header/type-info",
      ]);
      expect(await device.text("data/payload-type")).toBe("rootfs-image");
      expect(await device.provides()).toMatchObject({
        artifact_name: "new",
        "rootfs-image.rootfs-image.version": "new",
      });
    });
    expect(result).toMatchObject({ kind: "committed", artifactName: "new" });
  });

  test("reaches a module that streams by a way of its own", async () => {
    await install({ permits: ALL, streams: true }, artifact(), async (device) => {
      expect((await device.text("data/streamed")).trim().split("\n")).toEqual([
        "streams/signed: the signed file",
        "streams-augment/update.delta: the delta",
      ]);
    });
  });

  test.each<[string, Answers, string]>([
    ["says nothing of them", { supports: "" }, "the update module delta accepts no such artifacts"],
    ["says something like yes", { supports: "Yes" }, "the update module delta accepts no such artifacts"],
    [
      "does not handle the signed type",
      { types: "other\nanother" },
      "the update module delta does not accept artifacts whose signed type is rootfs-image",
    ],
    ["permits nothing", {}, "does not permit it to override type-info.artifact_depends.app.checksum"],
    [
      "permits something else",
      { permits: { "type-info": ALL["type-info"], "meta-data": { other: true } } },
      "does not permit it to override meta-data.level",
    ],
    ["cannot be understood", { permits: { "meta-data": 1 } }, "meta-data is 1, not true, [true] or an object of these"],
  ])("is refused, and nothing downloaded, where the module %s", async (_name, answers, why) => {
    const result = await install(answers, artifact(), async (device) => {
      expect(await device.calls()).not.toContain("Download");
    });
    expect(result).toMatchObject({ kind: "failed", device: "old", failure: { message: expect.stringContaining(why) } });
  });

  test("must fit the device as what it overrides says", async () => {
    const content = artifact(["--augment-depends", "app.colour:blue"]);
    const permits = { ...ALL, "type-info": { artifact_depends: { "app.checksum": true, "app.colour": true } } };
    expect(await install({ permits }, content, async () => undefined)).toMatchObject({
      kind: "failed",
      failure: { code: "depends-mismatch", message: expect.stringContaining('app.colour: the artifact needs "blue"') },
    });
  });

  test("is accepted with a signature over its signed part", async () => {
    const key = join(folder, "private.pem");
    execFileSync("openssl", ["ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", key], { stdio: "pipe" });
    const publicKey = execFileSync("openssl", ["pkey", "-in", key, "-pubout"], { encoding: "utf8", stdio: "pipe" });
    await using device = await TestDevice.create();
    await device.installModule("delta", deltaModule({ permits: ALL }));
    writeFileSync(
      device.path("data/upkeep-store.json"),
      JSON.stringify({ version: 1, provides: { artifact_name: "old", "app.checksum": "abc" }, update: null }),
    );
    const engine = await device.engine({ settings: { ...DEFAULT_UPDATE_SETTINGS, verifyKeys: [publicKey] } });
    expect(await engine.install(sourceOf(artifact(["--key", key])))).toMatchObject({ kind: "committed" });
  });
});
