import { describe, expect, test } from "vitest";
import { boundaryOf, readParts, readTextPart } from "../../../mock-server/releases/multipart.ts";
import { chunked, collect } from "../../shared/artifact/support.ts";
import { fc } from "../../support/fast-check.ts";

const BOUNDARY = "xYz";

function bodyOf(parts: readonly (readonly [string, Uint8Array])[]): Buffer {
  const pieces = parts.flatMap(([name, content]) => [
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="f"\r\n\r\n`),
    Buffer.from(content),
    Buffer.from("\r\n"),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

async function partsOf(body: Uint8Array, chunkBytes: number): Promise<[string, string][]> {
  const parts: [string, string][] = [];
  for await (const part of readParts(chunked(body, chunkBytes), BOUNDARY)) {
    parts.push([part.name, (await collect(part.content)).toString("latin1")]);
  }
  return parts;
}

describe("a multipart body", () => {
  // Bytes that look like the beginning of a boundary, as often as they can.
  const content = fc.array(fc.constantFrom(..."\r\n-xYz ab"), { maxLength: 60 }).map((letters) => letters.join(""));
  const harmless = content.filter((text) => !`\r\n${text}`.includes(`\r\n--${BOUNDARY}`));

  test("comes apart into the parts it was made of, however it is cut into chunks", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(harmless, { maxLength: 5 }), fc.integer({ min: 1, max: 80 }), async (texts, size) => {
        const parts = texts.map((text, index) => [`part${index}`, Buffer.from(text)] as const);
        expect(await partsOf(bodyOf(parts), size)).toEqual(texts.map((text, index) => [`part${index}`, text]));
      }),
      { numRuns: 300 },
    );
  });

  test("goes on with the next part where one was not read", async () => {
    const body = bodyOf([
      ["skipped", Buffer.alloc(300, "s")],
      ["read", Buffer.from("wanted")],
    ]);
    const seen: string[] = [];
    for await (const part of readParts(chunked(body, 7), BOUNDARY)) {
      if (part.name === "read") seen.push(await readTextPart(part, 100));
    }
    expect(seen).toEqual(["wanted"]);
  });

  test("may have something before the first part, and names without quotes and in capitals", async () => {
    const body = `preamble\r\n--${BOUNDARY}\r\nX-Other: 1\r\nCONTENT-DISPOSITION: form-data; Name=SIZE\r\n\r\n12\r\n--${BOUNDARY}--`;
    expect(await partsOf(Buffer.from(body), 5)).toEqual([["size", "12"]]);
  });

  test("that ends early anywhere is refused", async () => {
    const body = bodyOf([["a", Buffer.from("content")]]);
    // The two bytes behind the last boundary's dashes are not needed.
    for (let end = 0; end < body.length - 2; end += 1) {
      await expect(partsOf(body.subarray(0, end), 16), `cut at ${end}`).rejects.toThrow(
        /the multipart body ends early, in (front of the first part|a boundary|the headers of a part|part "a")/,
      );
    }
  });

  test("with endless headers or endless parts is refused", async () => {
    const endless = Buffer.from(`--${BOUNDARY}\r\n${"X: y\r\n".repeat(10_000)}`);
    await expect(partsOf(endless, 1000)).rejects.toThrow("the headers of a part are larger than 16384 bytes");
    const many = bodyOf(Array.from({ length: 101 }, () => ["a", Buffer.from("b")] as const));
    await expect(partsOf(many, 1000)).rejects.toThrow("the multipart body has more than 100 parts");
  });

  test("a text part has a limit", async () => {
    const body = bodyOf([["description", Buffer.alloc(101, "d")]]);
    for await (const part of readParts(chunked(body, 10), BOUNDARY)) {
      await expect(readTextPart(part, 100)).rejects.toThrow("description: longer than 100 bytes");
      break;
    }
  });
});

describe("the boundary", () => {
  test.each([
    ["multipart/form-data; boundary=abc", "abc"],
    ['Multipart/Mixed; charset=x; boundary="a b"', "a b"],
    ["multipart/form-data;BOUNDARY=----x", "----x"],
    ["application/json", undefined],
    ["multipart/related; boundary=abc", undefined],
    [undefined, undefined],
  ])("of %s is %s", (type, expected) => {
    expect(boundaryOf(type)).toBe(expected);
  });

  test.each([
    "multipart/form-data; charset=x",
    'multipart/form-data; boundary=""',
    `multipart/form-data; boundary=${"b".repeat(71)}`,
  ])("of %s is not usable", (type) => {
    expect(() => boundaryOf(type)).toThrow("Content-Type names no usable boundary");
  });
});
