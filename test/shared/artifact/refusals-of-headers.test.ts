import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { artifactOf, chunked, type Entry, type Parts, readBack, refusal, sha256, tarOf } from "./support.ts";

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
