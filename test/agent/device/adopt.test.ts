import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readOldProvides } from "../../../agent/device/adopt.ts";
import { readMenderStore, StoreFault } from "../../../agent/device/adopt-store.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { menderStoreFile } from "./adopt-store.ts";

const directory = temporaryDirectory();
const system = linuxSystem();
const PATH = process.env.PATH;
let datastore: string;
let count = 0;

beforeEach(() => {
  datastore = join(directory, String(++count));
  mkdirSync(datastore);
});

afterEach(() => {
  process.env.PATH = PATH;
});

const old = () => readOldProvides(system, datastore, join(datastore, "artifact_info"), join(datastore, "upkeep-adopt"));
const write = (file: Buffer): void => writeFileSync(join(datastore, "mender-store"), file);

describe.each([4, 8] as const)("a store with words of %i bytes", (wordBytes) => {
  const texts = (file: Buffer) =>
    Object.fromEntries([...readMenderStore(file)].map(([key, value]) => [key, value.toString()]));

  it("is read: values on one leaf, on several, and on pages of their own", () => {
    const large = "x".repeat(10_000);
    const one = { "artifact-name": "r1", "artifact-provides": "{}" };
    expect(texts(menderStoreFile({ wordBytes, leaves: [one] }))).toEqual(one);
    expect(texts(menderStoreFile({ wordBytes, leaves: [] }))).toEqual({});
    const leaves = [{ a: "1", b: large }, { c: "3" }, { d: large, e: "" }];
    expect(texts(menderStoreFile({ wordBytes, leaves }))).toEqual({ a: "1", b: large, c: "3", d: large, e: "" });
  });

  it("is read as the last write left it", () => {
    expect(texts(menderStoreFile({ wordBytes, leaves: [{ a: "1" }], staleSecond: true }))).toEqual({ a: "1" });
  });

  it("is refused when it is damaged, wherever", () => {
    const file = menderStoreFile({ wordBytes, leaves: [{ a: "x".repeat(5000) }, { b: "2" }] });
    expect(() => readMenderStore(file.subarray(0, 2 * 4096))).toThrow(StoreFault);
    expect(() => readMenderStore(Buffer.from("not a store"))).toThrow(StoreFault);
    const looped = Buffer.from(file);
    const branch = looped.length - 4096;
    // A page that a broken file system gave back as zeros; in the middle of a value (page 4) nothing shows it.
    for (let page = 2; page < file.length / 4096; page++) {
      const zeroed = Buffer.from(file);
      zeroed.fill(0, page * 4096, (page + 1) * 4096);
      if (page !== 4) expect(() => readMenderStore(zeroed), `page ${page}`).toThrow(StoreFault);
    }
    // A leaf that lost an entry.
    const lost = Buffer.from(menderStoreFile({ wordBytes, leaves: [{ a: "1", b: "2" }] }));
    const lower = 2 * 4096 + wordBytes + 4;
    lost.writeUInt16LE(lost.readUInt16LE(lower) - 2, lower);
    expect(() => readMenderStore(lost)).toThrow("it has 1 of the 2 values that it says it has");
    // The branch's first child is the branch itself.
    const node = branch + looped.readUInt16LE(branch + (wordBytes === 8 ? 16 : 12));
    looped.writeUInt16LE(branch / 4096, node);
    expect(() => readMenderStore(looped)).toThrow("its tree is deeper than can be");
  });
});

describe("what the old client says is installed", () => {
  it("is in its store: name, group and all else", async () => {
    const values = {
      "artifact-group": "fleet",
      "artifact-name": "r7",
      "artifact-provides": '{"rootfs-image.version":"r7","rootfs-image.checksum":"abc"}',
    };
    write(menderStoreFile({ wordBytes: 8, leaves: [values] }));
    expect(await old()).toMatchObject({
      provides: {
        "rootfs-image.version": "r7",
        "rootfs-image.checksum": "abc",
        artifact_group: "fleet",
        artifact_name: "r7",
      },
      source: join(datastore, "mender-store"),
    });
  });

  it("is its factory name as long as its store has none, and else nothing", async () => {
    expect(await old()).toMatchObject({
      provides: undefined,
      source: `${datastore}/mender-store, which does not exist`,
    });
    writeFileSync(join(datastore, "artifact_info"), "# made in a factory\nartifact_name=factory-1\n");
    const factory = { provides: { artifact_name: "factory-1" }, source: join(datastore, "artifact_info") };
    expect(await old()).toMatchObject(factory);
    write(menderStoreFile({ wordBytes: 8, leaves: [] }));
    expect(await old()).toMatchObject(factory);
  });

  it.each(["state", "standalone-state"])("is not taken while an update is under way (%s)", async (key) => {
    write(menderStoreFile({ wordBytes: 8, leaves: [{ "artifact-name": "r1", [key]: "{}" }] }));
    await expect(old()).rejects.toMatchObject({
      code: "old-client-busy",
      message: expect.stringContaining(`in the middle of an update (${key} in `),
    });
  });

  it.each([
    ["an emptied store", Buffer.alloc(0), "it is empty"],
    ["a store of zeros", Buffer.alloc(3 * 4096), "it has nothing but zeros"],
  ])("is refused of %s, without asking the old client, which would begin a new one", async (_name, file, why) => {
    const client = join(datastore, "mender-update");
    writeFileSync(client, "#!/bin/sh\necho artifact_name=unknown\n");
    chmodSync(client, 0o755);
    process.env.PATH = `${datastore}:${PATH}`;
    write(file);
    await expect(old()).rejects.toMatchObject({
      code: "old-store-unreadable",
      message: expect.stringContaining(`${datastore}/mender-store cannot be read: ${why}`),
    });
  });

  it("is refused of a damaged store about which the old client knows nothing either", async () => {
    const client = join(datastore, "mender-update");
    writeFileSync(client, "#!/bin/sh\necho artifact_name=unknown\n");
    chmodSync(client, 0o755);
    process.env.PATH = `${datastore}:${PATH}`;
    write(Buffer.from("another database"));
    await expect(old()).rejects.toMatchObject({
      code: "old-store-unreadable",
      message: expect.stringMatching(/mender-store cannot be read: .*mender-update.* knows of nothing installed/),
    });
  });

  it("is refused when its provides are none", async () => {
    for (const provides of ["{", '{"a":1}', "[]"]) {
      write(menderStoreFile({ wordBytes: 8, leaves: [{ "artifact-name": "r1", "artifact-provides": provides }] }));
      await expect(old()).rejects.toMatchObject({ code: "old-store-unreadable" });
    }
  });

  it("is asked of the old client itself when its store is of another kind", async () => {
    write(Buffer.from("another database"));
    process.env.PATH = "/nowhere";
    await expect(old()).rejects.toMatchObject({
      code: "old-store-unreadable",
      message: expect.stringContaining("neither mender-update nor mender is installed to ask"),
    });
    const client = join(datastore, "mender-update");
    const script = (text: string): void => {
      writeFileSync(client, `#!/bin/sh\n${text}\n`);
      chmodSync(client, 0o755);
    };
    process.env.PATH = `${datastore}:${PATH}`;
    // It has a copy, which it may do with what it likes: the reference client puts away a store that it cannot open.
    script(
      [
        '[ "$*" = "--data $(dirname "$0")/upkeep-adopt show-provides" ] || exit 9',
        '[ "$(cat "$2/mender-store")" = "another database" ] || exit 8',
        'mv "$2/mender-store" "$2/mender-store-broken"',
        "echo artifact_name=r8; echo a.b=c=d",
      ].join("\n"),
    );
    expect(await old()).toMatchObject({
      provides: { artifact_name: "r8", "a.b": "c=d" },
      source: "mender-update show-provides",
    });
    expect(readdirSync(datastore).sort()).toEqual(["mender-store", "mender-update"]);
    script("echo cannot open the database >&2; exit 3");
    await expect(old()).rejects.toMatchObject({
      code: "old-client-failed",
      message: "mender-update show-provides exited with code 3: cannot open the database",
    });
  });
});
