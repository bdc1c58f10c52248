import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { artifactOf, chunked, type Entry, entriesOf, type Parts, readBack, refusal, sha256, tarOf } from "./support.ts";

const link = (type: "symlink" | "link"): Entry => [{ name: "hello.txt", type, linkname: "/etc/passwd" }, ""];

describe("an artifact put together by hand", () => {
  it("is read, so that what the other tests change is what makes the difference", async () => {
    const { header, files } = await readBack(chunked(await artifactOf()));
    expect(header.artifactName).toBe("release-1");
    expect(files.get("0/hello.txt")?.toString()).toBe("hello\n");
  });
});

/** What is done to the parts of an artifact, and the error that names it. */
const HEADER_FAULTS: readonly [string, (parts: Parts) => void | Promise<void>, string, RegExp][] = [
  [
    "version 1",
    (p) => {
      p.version = '{"format":"mender","version":1}';
    },
    "version-unsupported",
    /version 1, .*older/,
  ],
  [
    "version 2",
    (p) => {
      p.version = '{"format":"mender","version":2}';
    },
    "version-unsupported",
    /version 2, .*older/,
  ],
  [
    "version 4",
    (p) => {
      p.version = '{"format":"mender","version":4}';
    },
    "version-unsupported",
    /version 4, .*newer/,
  ],
  [
    "another format",
    (p) => {
      p.version = '{"format":"swu","version":3}';
    },
    "not-an-artifact",
    /format .*"swu"/,
  ],
  [
    "a version that is not JSON",
    (p) => {
      p.version = "3";
    },
    "not-an-artifact",
    /version/,
  ],
  [
    "an endless version",
    (p) => {
      p.version = " ".repeat(5000);
    },
    "too-large",
    /"version" .*5000 bytes/,
  ],
  ["a manifest without the version", (p) => void p.manifest.set("version", ""), "unlisted", /"version"/],
  ["a manifest without the header", (p) => void p.manifest.set("header.tar.gz", ""), "unlisted", /"header.tar.gz"/],
  [
    "another version than the manifest says",
    (p) => void p.manifest.set("version", sha256("x")),
    "checksum-mismatch",
    /"version"/,
  ],
  [
    "another header than the manifest says",
    (p) => void p.manifest.set("header.tar.gz", sha256("x")),
    "checksum-mismatch",
    /"header.tar.gz"/,
  ],
  [
    "a manifest line without a name",
    (p) => {
      p.manifestText = `${sha256("x")}\n`;
    },
    "manifest-malformed",
    /manifest/,
  ],
  [
    "a checksum in capitals",
    (p) => {
      p.manifestText = `${sha256("x").toUpperCase()}  version\n`;
    },
    "manifest-malformed",
    /manifest/,
  ],
  [
    "a manifest that lists a name twice",
    (p) => {
      p.manifestText = `${sha256("x")}  version\n${sha256("x")}  version\n`;
    },
    "manifest-duplicate",
    /"version" is listed twice/,
  ],
  [
    "a manifest that lists what is no part",
    (p) => void p.manifest.set("etc/passwd", sha256("")),
    "manifest-malformed",
    /etc/,
  ],
  [
    "a manifest with a name that climbs out",
    (p) => void p.manifest.set("data/0000/../../passwd", sha256("")),
    "name-climbs",
    /passwd/,
  ],
  [
    "a file of a payload that is not there",
    (p) => void p.manifest.set("data/0001/hello.txt", sha256("")),
    "missing",
    /"data\/0001\/hello.txt".* 1 payloads/,
  ],
  [
    "header-info that is not JSON",
    (p) => {
      p.headerInfo = "{";
    },
    "header-info-invalid",
    /header-info is not JSON/,
  ],
  [
    "header-info without a device type",
    (p) => {
      p.headerInfo =
        '{"payloads":[{"type":"a"}],"artifact_provides":{"artifact_name":"n"},"artifact_depends":{"device_type":[]}}';
    },
    "header-info-invalid",
    /artifact_depends\.device_type must name at least one device type, but is \[\]/,
  ],
  [
    "header-info without an artifact name",
    (p) => {
      p.headerInfo = '{"payloads":[{"type":"a"}],"artifact_provides":{},"artifact_depends":{"device_type":["d"]}}';
    },
    "header-info-invalid",
    /artifact_provides\.artifact_name must be a non-empty text, but is absent/,
  ],
  [
    "a payload type that climbs out",
    (p) => {
      p.headerInfo = p.headerInfo.replace("single-file", "../sh");
    },
    "header-info-invalid",
    /payloads\.0\.type must be the name of an update module.*\.\.\/sh/,
  ],
  [
    "another payload type in type-info",
    (p) => {
      p.typeInfo = '{"type":"script"}';
    },
    "payload-type-mismatch",
    /type is "script", header-info has "single-file"/,
  ],
  [
    "provides that are no texts",
    (p) => {
      p.typeInfo = '{"type":"single-file","artifact_provides":{"a":1}}';
    },
    "type-info-invalid",
    /artifact_provides\.a must be a text, but is 1/,
  ],
  [
    "no type-info",
    (p) => {
      p.headerEntries = [["header-info", p.headerInfo]];
    },
    "missing",
    /headers\/0000\/type-info/,
  ],
  [
    "meta-data that is a list",
    (p) => {
      p.headerEntries = [
        ["header-info", p.headerInfo],
        ["headers/0000/type-info", p.typeInfo],
        ["headers/0000/meta-data", "[1]"],
      ];
    },
    "meta-data-invalid",
    /meta-data: must be an object, but is \[1\]/,
  ],
  [
    "a header that does not start with header-info",
    (p) => {
      p.headerEntries = [
        ["headers/0000/type-info", p.typeInfo],
        ["header-info", p.headerInfo],
      ];
    },
    "entry-order",
    /header-info must come first/,
  ],
  [
    "scripts behind the type-info",
    (p) => {
      p.headerEntries = [
        ["header-info", p.headerInfo],
        ["headers/0000/type-info", p.typeInfo],
        ["scripts/ArtifactInstall_Enter_00", ""],
      ];
    },
    "entry-order",
    /scripts/,
  ],
  [
    "something else in the header",
    (p) => {
      p.headerEntries = [
        ["header-info", p.headerInfo],
        ["headers/0000/type-info", p.typeInfo],
        ["surprise", ""],
      ];
    },
    "entry-unexpected",
    /"surprise"/,
  ],
  [
    "a state script with a name that climbs out",
    (p) => {
      p.headerEntries = [
        ["header-info", p.headerInfo],
        ["scripts/../../sh", ""],
      ];
    },
    "name-climbs",
    /sh/,
  ],
  [
    "two state scripts of one name",
    (p) => {
      p.headerEntries = [
        ["header-info", p.headerInfo],
        ["scripts/ArtifactInstall_Enter_00", ""],
        ["scripts/ArtifactInstall_Enter_00", ""],
      ];
    },
    "duplicate-entry",
    /ArtifactInstall_Enter_00/,
  ],
  [
    "a state script that is a link",
    (p) => {
      p.headerEntries = [
        ["header-info", p.headerInfo],
        [{ name: "scripts/ArtifactInstall_Enter_00", type: "symlink", linkname: "/bin/sh" }, ""],
      ];
    },
    "entry-is-link",
    /symbolic link/,
  ],
  [
    "a header that decompresses without end",
    (p) => {
      p.header = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    },
    "trailing-bytes",
    /header.tar.gz/,
  ],
  [
    "a header with a script that decompresses without end",
    async (p) => {
      const script = Buffer.alloc(8 * 1024 * 1024);
      const scripts = ["00", "01", "02", "03", "04"].map((n): Entry => [`scripts/ArtifactInstall_Enter_${n}`, script]);
      p.header = gzipSync(await tarOf([["header-info", p.headerInfo], ...scripts]));
    },
    "too-large",
    /decompresses to more than/,
  ],
  [
    "a header that is over-long",
    (p) => {
      p.header = Buffer.alloc(17 * 1024 * 1024);
    },
    "too-large",
    /"header.tar.gz"/,
  ],
  [
    "a header that is not gzip",
    (p) => {
      p.header = Buffer.from("no");
    },
    "compression-damaged",
    /header.tar.gz/,
  ],
  [
    "a header whose gzip is damaged",
    (p) => {
      p.header = Buffer.concat([gzipSync("x").subarray(0, 10), Buffer.alloc(50, 0xff)]);
    },
    "compression-damaged",
    /header.tar.gz/,
  ],
  [
    "bytes behind the header's gzip",
    async (p) => {
      const tar = await tarOf([
        ["header-info", p.headerInfo],
        ["headers/0000/type-info", p.typeInfo],
      ]);
      p.header = Buffer.concat([gzipSync(tar), Buffer.from([0, 1, 2])]);
    },
    "trailing-bytes",
    /header.tar.gz/,
  ],
  [
    "files for a payload without a type",
    (p) => {
      p.headerInfo = p.headerInfo.replace('"single-file"', "null");
      p.typeInfo = '{"type":null}';
    },
    "empty-payload-with-files",
    /data\/0000\/hello.txt/,
  ],
];

describe("before any byte of a payload, an artifact is refused that has", () => {
  it.each(HEADER_FAULTS)("%s", async (_, change, code, message) => {
    expect(await refusal(await artifactOf(change))).toEqual({
      at: "header",
      code,
      message: expect.stringMatching(message),
    });
  });
});

const PAYLOAD_FAULTS: readonly [string, (parts: Parts) => void | Promise<void>, string, RegExp][] = [
  [
    "another content than the manifest says",
    (p) => void p.manifest.set("data/0000/hello.txt", sha256("x")),
    "checksum-mismatch",
    /hello.txt/,
  ],
  [
    "a file that is not in the manifest",
    (p) => void p.manifest.set("data/0000/hello.txt", ""),
    "unlisted",
    /hello.txt/,
  ],
  ["a file too few", (p) => void p.manifest.set("data/0000/more", sha256("")), "missing", /"data\/0000\/more"/],
  [
    "a file twice",
    (p) => {
      p.files = [
        ["hello.txt", "hello\n"],
        ["hello.txt", "hello\n"],
      ];
    },
    "duplicate-entry",
    /hello.txt/,
  ],
  [
    "a file that climbs out",
    async (p) => {
      p.payload = gzipSync(await tarOf([["../../etc/passwd", "x"]]));
    },
    "name-climbs",
    /etc\/passwd/,
  ],
  [
    "a file with an absolute name",
    async (p) => {
      // tar-stream writes no absolute names.
      const tar = Buffer.from(await tarOf([["xetc", "x"]]));
      p.payload = gzipSync(renamed(tar, "/etc"));
    },
    "name-climbs",
    /"\/etc"/,
  ],
  [
    "a file in a directory",
    async (p) => {
      p.payload = gzipSync(await tarOf([["a/b", "x"]]));
    },
    "name-unsafe",
    /a\/b/,
  ],
  [
    "a file with a line break in its name",
    async (p) => {
      p.payload = gzipSync(await tarOf([["a\nb", "x"]]));
    },
    "name-unsafe",
    /a\\nb/,
  ],
  [
    "a file with an endless name",
    async (p) => {
      p.payload = gzipSync(await tarOf([["n".repeat(300), "x"]]));
    },
    "name-too-long",
    /longer than 255/,
  ],
  [
    "a symbolic link",
    async (p) => {
      p.payload = gzipSync(await tarOf([link("symlink")]));
    },
    "entry-is-link",
    /symbolic/,
  ],
  [
    "a hard link",
    async (p) => {
      p.payload = gzipSync(await tarOf([link("link")]));
    },
    "entry-is-link",
    /hard link/,
  ],
  ...(["character-device", "block-device", "fifo"] as const).map((type): (typeof PAYLOAD_FAULTS)[number] => [
    `a ${type}`,
    async (p) => {
      p.payload = gzipSync(await tarOf([[{ name: "hello.txt", type }, ""]]));
    },
    "entry-is-device",
    /hello.txt/,
  ]),
  [
    "a directory",
    async (p) => {
      p.payload = gzipSync(await tarOf([[{ name: "dir", type: "directory" }, ""]]));
    },
    "entry-is-directory",
    /dir/,
  ],
  ["bytes behind the payload's gzip", (p) => afterGzip(p, Buffer.from("more")), "compression-damaged", /0000.tar.gz/],
  ["zeros behind the payload's gzip", (p) => afterGzip(p, Buffer.alloc(3)), "trailing-bytes", /0000.tar.gz/],
  [
    "bytes behind the payload's tar",
    async (p) => {
      p.payload = gzipSync(Buffer.concat([await tarOf(p.files), Buffer.from("more")]));
    },
    "trailing-bytes",
    /0000.tar.gz/,
  ],
  [
    "endless zeros behind the payload's tar",
    async (p) => {
      p.payload = gzipSync(Buffer.concat([await tarOf(p.files), Buffer.alloc(2 * 1024 * 1024)]));
    },
    "trailing-bytes",
    /0000.tar.gz/,
  ],
  [
    "a payload without an end",
    async (p) => {
      p.payload = gzipSync((await tarOf(p.files)).subarray(0, 1024));
    },
    "truncated",
    /0000.tar.gz/,
  ],
  [
    "a payload whose gzip is cut",
    async (p) => {
      p.payload = gzipSync(await tarOf(p.files)).subarray(0, -5);
    },
    "truncated",
    /0000.tar.gz/,
  ],
  [
    "an empty payload that should have files",
    (p) => {
      p.payload = gzipSync("");
    },
    "missing",
    /hello.txt/,
  ],
];

async function afterGzip(parts: Parts, rest: Uint8Array): Promise<void> {
  parts.payload = Buffer.concat([gzipSync(await tarOf(parts.files)), rest]);
}

/** A tar whose first entry has another name, its checksum made right again. */
function renamed(tar: Buffer, name: string): Buffer {
  tar.fill(0, 0, 100).write(name);
  tar.fill(" ", 148, 156);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return tar;
}

describe("while its payload is read, an artifact is refused that has", () => {
  it.each(PAYLOAD_FAULTS)("%s", async (_, change, code, message) => {
    expect(await refusal(await artifactOf(change))).toEqual({
      at: "payload",
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe("the order of an artifact's entries", () => {
  const reordered = async (order: (entries: Entry[]) => Entry[]): Promise<Buffer> => tarOf(order(await entriesOf()));

  it.each<[string, (entries: Entry[]) => Entry[], "header" | "payload", string, RegExp]>([
    [
      "the manifest first",
      ([v, m, ...rest]) => [m, v, ...rest] as Entry[],
      "header",
      "entry-order",
      /"manifest" stands where "version"/,
    ],
    ["no manifest", ([v, , ...rest]) => [v, ...rest] as Entry[], "header", "entry-order", /where "manifest" must be/],
    [
      "no header",
      ([v, m, , ...rest]) => [v, m, ...rest] as Entry[],
      "header",
      "entry-order",
      /where "header.tar" must be/,
    ],
    ["nothing but a version", ([v]) => [v] as Entry[], "header", "missing", /"manifest" is not in it/],
    ["no payload", (entries) => entries.slice(0, 3), "header", "missing", /"data\/0000.tar" is not in it/],
    ["the payload before the header", ([v, m, h, p]) => [v, m, p, h] as Entry[], "header", "entry-order", /data/],
    ["the version twice", ([v, ...rest]) => [v, v, ...rest] as Entry[], "header", "duplicate-entry", /"version"/],
    ["the header twice", ([v, m, h, p]) => [v, m, h, h, p] as Entry[], "header", "duplicate-entry", /"header.tar.gz"/],
    ["the payload twice", (entries) => [...entries, ...entries.slice(-1)], "payload", "duplicate-entry", /"data\/0000/],
    [
      "a second payload",
      (entries) => [...entries, ["data/0001.tar", ""]],
      "payload",
      "entry-unexpected",
      /"data\/0001.tar"/,
    ],
    [
      "something behind",
      (entries) => [...entries, ["more", ""]],
      "payload",
      "entry-unexpected",
      /"more" stands behind its end/,
    ],
    ["something else first", (entries) => [["readme", ""], ...entries], "header", "not-an-artifact", /"readme"/],
    [
      "a name that climbs out",
      ([v, ...rest]) => [v, ["../x", ""], ...rest] as Entry[],
      "header",
      "name-climbs",
      /"\.\.\/x"/,
    ],
    [
      "a device",
      ([v, ...rest]) => [v, [{ name: "manifest", type: "fifo" }, ""], ...rest] as Entry[],
      "header",
      "entry-is-device",
      /FIFO/,
    ],
    [
      "an augmented manifest",
      ([v, m, ...rest]) => [v, m, ["manifest-augment", "x"], ...rest] as Entry[],
      "header",
      "augmented-unsupported",
      /"manifest-augment"/,
    ],
    [
      "an augmented header",
      ([v, m, h, ...rest]) => [v, m, h, ["header-augment.tar.gz", "x"], ...rest] as Entry[],
      "header",
      "augmented-unsupported",
      /"header-augment/,
    ],
  ])("is enforced: %s", async (_, order, at, code, message) => {
    expect(await refusal(await reordered(order))).toEqual({ at, code, message: expect.stringMatching(message) });
  });
});

describe("what is no artifact at all", () => {
  it.each([
    ["nothing", Buffer.alloc(0)],
    ["a page of HTML", Buffer.from("<html><body>502 Bad Gateway</body></html>")],
    ["a large page of HTML", Buffer.from("<html>".repeat(1000))],
    ["a gzip stream", gzipSync(Buffer.alloc(100_000, "x"))],
  ])("is refused as such: %s", async (_, content) => {
    expect(await refusal(content)).toMatchObject({ at: "header", code: "not-an-artifact" });
  });
});

it("a refusal is short, however long the key is that it names (fuzz seed quiet:50)", async () => {
  const artifact = await artifactOf((parts) => {
    parts.typeInfo = JSON.stringify({ type: "single-file", artifact_depends: { ["é".repeat(4096)]: 5 } });
  });
  const { code, message } = await refusal(artifact);
  expect(code).toBe("type-info-invalid");
  expect(message).toMatch(/^headers\/0000\/type-info: artifact_depends\.é{60}… must be/);
  expect(message.length).toBeLessThan(300);
});
