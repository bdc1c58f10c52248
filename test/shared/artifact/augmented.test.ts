import { generateKeyPairSync, sign } from "node:crypto";
import { openArtifact } from "@upkeep/shared/artifact";
import { describe, expect, it } from "vitest";
import { artifactOf, chunked, collect, type Entry, type Parts, refusal, sha256, tarOf } from "./support.ts";

interface Augmented {
  headerEntries: Entry[];
  /** Files that only manifest-augment lists. */
  files: Entry[];
  /** More of its lines, or others. */
  lines: Map<string, string>;
  /** Set to leave the whole header out. */
  withoutHeader?: true;
  withoutManifest?: true;
}

const json = (value: unknown): string => JSON.stringify(value);

/** An artifact whose payload type and a depends are overridden by its unsigned part, which has a file more. */
async function augmentedOf(
  change: (augmented: Augmented, parts: Parts) => void = () => undefined,
  signing?: (manifest: string) => string,
): Promise<Buffer> {
  const augmented: Augmented = {
    headerEntries: [
      ["header-info", json({ payloads: [{ type: "delta" }] })],
      ["headers/0000/type-info", json({ type: "delta", artifact_depends: { "rootfs-image.checksum": "abc" } })],
      ["headers/0000/meta-data", json({ level: 3 })],
    ],
    files: [["update.delta", "delta\n"]],
    lines: new Map(),
  };
  let made: Parts | undefined;
  await artifactOf((parts) => {
    change(augmented, parts);
    parts.files = [...parts.files, ...augmented.files];
    for (const [name] of augmented.files) parts.manifest.set(`data/0000/${String(name)}`, "");
    made = parts;
  });
  if (made?.entries === undefined || made.manifestText === undefined) throw new Error("no entries were made");
  const [version, manifest, header, ...rest] = made.entries;
  if (version === undefined || manifest === undefined || header === undefined) throw new Error("entries are missing");
  const headerTar = await tarOf(augmented.headerEntries);
  const lines = new Map([
    ...augmented.files.map(([name, content]): [string, string] => [`data/0000/${String(name)}`, sha256(content)]),
    ...(augmented.withoutHeader ? [] : [["header-augment.tar", sha256(headerTar)] as const]),
    ...augmented.lines,
  ]);
  const text = [...lines].flatMap(([name, sum]) => (sum === "" ? [] : [`${sum}  ${name}\n`])).join("");
  return await tarOf([
    version,
    manifest,
    ...(signing === undefined ? [] : [["manifest.sig", signing(made.manifestText)] as const]),
    ...(augmented.withoutManifest ? [] : [["manifest-augment", text] as const]),
    header,
    ...(augmented.withoutHeader ? [] : [["header-augment.tar", headerTar] as const]),
    ...rest,
  ]);
}

const READ = { augmented: true };

describe("an augmented artifact", () => {
  it("is refused by name where nobody asked for such", async () => {
    expect(await refusal(await augmentedOf())).toMatchObject({ at: "header", code: "augmented-unsupported" });
  });

  it("is read: the signed header stays as it is, what overrides it stands beside it, and files are marked", async () => {
    const reading = await openArtifact(chunked(await augmentedOf()), READ);
    const { header } = reading;
    expect(header.payloads[0]?.typeInfo).toEqual({ type: "single-file" });
    expect(header.augment?.payloads).toEqual([
      {
        index: 0,
        type: "delta",
        depends: { "rootfs-image.checksum": "abc" },
        typeInfoJson: json({ type: "delta", artifact_depends: { "rootfs-image.checksum": "abc" } }),
        metaDataJson: json({ level: 3 }),
      },
    ]);
    expect([...header.manifest.keys()]).not.toContain("data/0000/update.delta");
    const files: unknown[] = [];
    for await (const payload of reading.payloads()) {
      for await (const file of payload.files()) {
        files.push([file.name, file.augmented ?? false, (await collect(file.content)).toString()]);
      }
    }
    expect(files).toEqual([
      ["hello.txt", false, "hello\n"],
      ["update.delta", true, "delta\n"],
    ]);
  });

  it("may leave a payload's type as it is, and may bring files alone", async () => {
    const same = await augmentedOf((a) => {
      a.headerEntries = [["header-info", json({ payloads: [{ type: "" }] })]];
    });
    expect((await openArtifact(chunked(same), READ)).header.augment?.payloads).toEqual([{ index: 0 }]);
    const filesOnly = await augmentedOf((a) => {
      a.withoutHeader = true;
    });
    expect((await openArtifact(chunked(filesOnly), READ)).header.augment).toEqual({ payloads: [] });
  });

  it("is signed in its signed part only", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const verifyKeys = [publicKey.export({ type: "spki", format: "pem" }).toString()];
    const signing = (manifest: string): string => sign("sha256", Buffer.from(manifest), privateKey).toString("base64");
    const { header } = await openArtifact(chunked(await augmentedOf(undefined, signing)), { ...READ, verifyKeys });
    expect(header.signature).toEqual({ state: "verified", key: 0 });
    const unsigned = await refusal(await augmentedOf(), { ...READ, verifyKeys });
    expect(unsigned.code).toBe("signature-missing");
  });

  const FAULTS: readonly [string, (augmented: Augmented, parts: Parts) => void, string, RegExp][] = [
    [
      "a checksum for what the signed manifest has",
      (a) => a.lines.set("data/0000/hello.txt", sha256("other\n")),
      "manifest-duplicate",
      /manifest-augment: "data\/0000\/hello.txt" is listed in the manifest already/,
    ],
    [
      "another checksum for the signed header",
      (a) => a.lines.set("header.tar.gz", sha256("other")),
      "manifest-malformed",
      /manifest-augment: "header.tar.gz" is no part/,
    ],
    [
      "a header that is not what manifest-augment says",
      (a) => a.lines.set("header-augment.tar", sha256("other")),
      "checksum-mismatch",
      /header-augment.tar/,
    ],
    ["a header that is not listed", (a) => a.lines.set("header-augment.tar", ""), "unlisted", /header-augment.tar/],
    [
      "a header without manifest-augment",
      (a) => {
        a.files = [];
        a.withoutManifest = true;
      },
      "unlisted",
      /header-augment.tar/,
    ],
    [
      "a file that is listed and missing",
      (a) => a.lines.set("data/0000/gone", sha256("")),
      "missing",
      /"data\/0000\/gone"/,
    ],
    [
      "a file that is not what manifest-augment says",
      (a) => a.lines.set("data/0000/update.delta", sha256("other")),
      "checksum-mismatch",
      /update.delta/,
    ],
    [
      "the unsigned header in the signed manifest",
      (_, p) => p.manifest.set("header-augment.tar", sha256("x")),
      "manifest-malformed",
      /manifest: "header-augment.tar"/,
    ],
    [
      "state scripts",
      (a) => a.headerEntries.splice(1, 0, ["scripts/ArtifactInstall_Enter_00", "#!/bin/sh\n"]),
      "entry-order",
      /header-augment.tar: "scripts\/ArtifactInstall_Enter_00"/,
    ],
    [
      "more payloads than the artifact has",
      (a) => {
        a.headerEntries[0] = ["header-info", json({ payloads: [{ type: "delta" }, { type: "more" }] })];
      },
      "header-info-invalid",
      /it has 2 payloads, the artifact has 1/,
    ],
    [
      "a type that leads out of the directory of modules",
      (a) => {
        a.headerEntries[0] = ["header-info", json({ payloads: [{ type: "../../bin/sh" }] })];
      },
      "header-info-invalid",
      /payloads.0.type/,
    ],
    [
      "two types",
      (a) => {
        a.headerEntries[1] = ["headers/0000/type-info", json({ type: "other" })];
      },
      "payload-type-mismatch",
      /type is "other", header-info has "delta"/,
    ],
    [
      "meta-data that is no object",
      (a) => {
        a.headerEntries[2] = ["headers/0000/meta-data", "[]"];
      },
      "meta-data-invalid",
      /header-augment.tar: headers\/0000\/meta-data/,
    ],
  ];

  it.each(FAULTS)("is refused with %s", async (_name, change, code, message) => {
    const refused = await refusal(await augmentedOf(change), READ);
    expect(refused).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
