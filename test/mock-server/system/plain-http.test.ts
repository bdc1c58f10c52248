import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type PlainRequest, readPlain } from "../../../mock-server/system/plain-http.ts";

const NOBODY = new Socket();

const read = (text: string): PlainRequest | undefined => readPlain(Buffer.from(text, "latin1"), NOBODY);

interface Written {
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: string;
}

const text = ({ line, headers, body }: Written): string => `${[line, ...headers].join("\r\n")}\r\n\r\n${body}`;

const PLAIN: Written = {
  line: "POST /a/b?c=d HTTP/1.1",
  headers: ["Host: h", "Authorization: Bearer x.y", "Content-Type: application/json", "Content-Length: 2"],
  body: "{}",
};

test("a request that is written plainly is read", () => {
  const request = read(text(PLAIN));
  expect(request).toMatchObject({ method: "POST", url: "/a/b?c=d" });
  expect({ ...request?.headers }).toEqual({
    host: "h",
    authorization: "Bearer x.y",
    "content-type": "application/json",
    "content-length": "2",
  });
  expect(request?.body.toString()).toBe("{}");
});

test.each([
  ["a body that has not come to its end", { body: "{" }],
  ["more than one body", { body: "{}{}" }],
  ["another request behind it", { body: `{}${text(PLAIN)}` }],
  ["no Host", { headers: PLAIN.headers.slice(1) }],
  ["two headers of one name", { headers: [...PLAIN.headers, "content-length: 2"] }],
  ["a length that is not simply a number", { headers: ["Host: h", "Content-Length: +2"] }],
  ["a length with a zero in front", { headers: ["Host: h", "Content-Length: 02"] }],
  ["no length, but a body", { headers: ["Host: h"] }],
  ["chunks", { headers: ["Host: h", "Transfer-Encoding: chunked"], body: "0\r\n\r\n" }],
  ["chunks and a length", { headers: [...PLAIN.headers, "Transfer-Encoding: identity"] }],
  ["an expectation", { headers: [...PLAIN.headers, "Expect: 100-continue"] }],
  ["a wish for another protocol", { headers: [...PLAIN.headers, "Upgrade: h2c"] }],
  ["a connection that names headers", { headers: [...PLAIN.headers, "Connection: keep-alive, te"] }],
  ["a line that is folded", { headers: [...PLAIN.headers, "A: b", " c"] }],
  ["a blank before the colon", { headers: [...PLAIN.headers, "A : b"] }],
  ["a blank behind the value", { headers: [...PLAIN.headers, "A: b "] }],
  ["a line feed alone", { headers: [...PLAIN.headers, "A: b\nC: d"] }],
  ["a carriage return alone", { headers: [...PLAIN.headers, "A: b\rC: d"] }],
  ["a NUL", { headers: [...PLAIN.headers, "A: \0"] }],
  ["a header that is no ASCII", { headers: [...PLAIN.headers, "A: \u00e9"] }],
  ["a header without a name", { headers: [...PLAIN.headers, ": b"] }],
  ["a head that is too long", { headers: [...PLAIN.headers, `A: ${"b".repeat(9000)}`] }],
  ["an older version", { line: "POST / HTTP/1.0" }],
  ["a URL in place of a path", { line: "POST http://h/ HTTP/1.1" }],
  ["a blank too many", { line: "POST  / HTTP/1.1" }],
  ["a method in small letters", { line: "post / HTTP/1.1" }],
  ["an empty line in front", { line: "\r\nPOST / HTTP/1.1" }],
] as const)("A request with %s is not plain", (_, change) => {
  expect(read(text(PLAIN))).toBeDefined();
  expect(read(text({ ...PLAIN, ...change }))).toBeUndefined();
});

interface Heard {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What the platform's reader makes of bytes. */
class Platform {
  readonly #heard: Heard[] = [];
  readonly #server = createServer((request, response) => {
    let body = "";
    request
      .setEncoding("latin1")
      .on("data", (chunk: string) => {
        body += chunk;
      })
      .on("end", () => {
        const { method, url, headers } = request;
        this.#heard.push({ method, url, headers, body });
        response.end();
      });
  });

  async open(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async hear(bytes: string): Promise<Heard[]> {
    this.#heard.length = 0;
    const socket = connect((this.#server.address() as AddressInfo).port, "127.0.0.1");
    socket.on("error", () => socket.destroy());
    socket.end(Buffer.from(bytes, "latin1")).resume();
    await once(socket, "close");
    return [...this.#heard];
  }

  async close(): Promise<void> {
    this.#server.close();
    await once(this.#server, "close");
  }
}

const oddity = fc.constantFrom(
  ..." \t\r\n\0:,;\u00e9",
  "\r\n",
  "\r\n\r\n",
  "Content-Length: 2",
  "transfer-encoding: chunked\r\n",
  "0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
);
const value = fc.string({ unit: fc.constantFrom(..."ab ,;=/\t\"'\u00e9"), maxLength: 6 });
const header = fc
  .tuple(
    fc.oneof(
      { arbitrary: fc.constantFrom("Accept", "X-A", "x-b", "Cookie", "constructor", "If-Match"), weight: 9 },
      { arbitrary: fc.constantFrom("connection", "content-length", "TE"), weight: 1 },
    ),
    fc.oneof({ arbitrary: fc.constantFrom("", "a", "a, b;c=d", '"e"'), weight: 3 }, { arbitrary: value, weight: 1 }),
  )
  .map(([name, text]) => `${name}: ${text}`);
const written = fc
  .record({
    line: fc.constantFrom(PLAIN.line, "GET /x HTTP/1.1", "PUT /%20?a=b HTTP/1.1", "PATCH //h/ HTTP/1.1"),
    headers: fc.array(header, { maxLength: 3 }),
    body: fc.constantFrom("", "{}", "x".repeat(40)),
    announced: fc.constantFrom(0, 0, 0, 0, -1, 1),
    odd: fc.option(fc.tuple(oddity, fc.double({ min: 0, max: 1, noNaN: true })), { freq: 1 }),
  })
  .map(({ line, headers, body, announced, odd }) => {
    const wrong = announced === 0 || Math.abs(announced) > body.length ? body.length : body.length + announced;
    const whole = text({ line, headers: ["Host: h", ...headers, `Content-Length: ${wrong}`], body });
    if (odd === null) return whole;
    const at = Math.floor(odd[1] * whole.length);
    return whole.slice(0, at) + odd[0] + whole.slice(at);
  });

test("whatever is read as plain, the platform reads as the same request, and as one", async () => {
  const platform = new Platform();
  await platform.open();
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(written, async (bytes) => {
      const request = read(bytes);
      if (request === undefined) return;
      plain += 1;
      const { method, url, headers, body } = request;
      expect(await platform.hear(bytes)).toEqual([
        { method, url, headers: { ...headers }, body: body.toString("latin1") },
      ]);
    }),
    { numRuns: 3000 },
  );
  await platform.close();
  expect(plain).toBeGreaterThan(100);
});
