import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { artifactOf, type Entry, entriesOf, refusal, tarOf } from "./support.ts";

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
    ["zeros, as of an erased flash", Buffer.alloc(100_000)],
    ["zeros as long as a tar's end", Buffer.alloc(1024)],
    ["zeros cut anywhere", Buffer.alloc(700)],
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
