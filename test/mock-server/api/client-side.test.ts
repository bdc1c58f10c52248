import { describe, expect, test } from "vitest";
import { clientSideOf } from "../../../mock-server/api/client-side.ts";
import type { ApiRequest } from "../../../mock-server/api/route.ts";
import { type Networks, parseNetworks } from "../../../mock-server/system/networks.ts";
import { fc } from "../../support/fast-check.ts";

const PROXY = "10.0.0.1";

function networks(...texts: string[]): Networks {
  const parsed = parseNetworks(texts);
  if ("wrong" in parsed) throw new Error(`no network: ${parsed.wrong}`);
  return parsed;
}

const proxies = networks("10.0.0.0/8", "2001:db8:1::/48");

function from(remoteAddress: string | undefined, headers: ApiRequest["headers"]) {
  const socket = { remoteAddress, localAddress: "127.0.0.1", localPort: 8080 } as ApiRequest["socket"];
  return clientSideOf({ headers: { host: "inner:8080", ...headers }, socket }, proxies.has);
}

describe("the URL under which the client reached the server", () => {
  test.each([
    ["no header but Host", {}, "http://inner:8080"],
    ["host and scheme", { "x-forwarded-host": "a.example", "x-forwarded-proto": "https" }, "https://a.example"],
    ["a host with its port", { "x-forwarded-host": "a.example:8443" }, "http://a.example:8443"],
    ["a port of its own", { "x-forwarded-host": "a.example", "x-forwarded-port": "8443" }, "http://a.example:8443"],
    [
      "the port of the scheme",
      { "x-forwarded-host": "a.example", "x-forwarded-port": "443", "x-forwarded-proto": "https" },
      "https://a.example",
    ],
    [
      "two ports: the client named the one beside the host",
      { "x-forwarded-host": "a.example:9000", "x-forwarded-port": "80" },
      "http://a.example:9000",
    ],
    [
      "a host without a port, and the port apart",
      { host: "a.example", "x-forwarded-port": "81" },
      "http://a.example:81",
    ],
    ["an IPv6 address", { "x-forwarded-host": "[2001:db8::1]", "x-forwarded-port": "81" }, "http://[2001:db8::1]:81"],
    ["a prefix", { "x-forwarded-host": "a.example", "x-forwarded-prefix": "/b/c/" }, "http://a.example/b/c"],
    ["the root as prefix", { "x-forwarded-prefix": "/" }, "http://inner:8080"],
    ["what is no host", { "x-forwarded-host": "evil.example/path" }, "http://inner:8080"],
    ["what is no scheme", { "x-forwarded-proto": "javascript" }, "http://inner:8080"],
    ["what is no port", { host: "a.example", "x-forwarded-port": "99999" }, "http://a.example"],
    ["what is no prefix", { "x-forwarded-prefix": "//evil.example" }, "http://inner:8080"],
    ["Forwarded", { forwarded: 'for=192.0.2.1;proto=https;host="a.example:8443"' }, "https://a.example:8443"],
    [
      "two proxies that both add",
      { "x-forwarded-for": "192.0.2.1, 10.0.0.2", "x-forwarded-host": "outer.example, middle.example" },
      "http://outer.example",
    ],
    [
      "a proxy that adds to what the client sent",
      { "x-forwarded-for": "198.51.100.9, 192.0.2.1", "x-forwarded-host": "evil.example, a.example" },
      "http://a.example",
    ],
  ])("from %s", (_, headers, baseUrl) => {
    expect(from(PROXY, headers).baseUrl).toBe(baseUrl);
  });

  test("is not told by others than the proxies", () => {
    const headers = {
      "x-forwarded-for": "192.0.2.1",
      "x-forwarded-host": "evil.example",
      "x-forwarded-port": "1",
      "x-forwarded-prefix": "/evil",
      "x-forwarded-proto": "https",
      forwarded: "for=192.0.2.1;host=evil.example;proto=https",
    };
    const expected = { address: "198.51.100.1", prefix: "", baseUrl: "http://inner:8080" };
    expect(from("198.51.100.1", headers)).toEqual(expected);
    expect(from("::ffff:198.51.100.1", headers)).toEqual(expected);
    expect(from(undefined, headers)).toEqual({ ...expected, address: "" });
  });
});

describe("the address of the client", () => {
  test.each([
    ["of one proxy", { "x-forwarded-for": "192.0.2.1" }, "192.0.2.1"],
    ["with a port", { "x-forwarded-for": "192.0.2.1:4711" }, "192.0.2.1"],
    ["of IPv6, with a port", { "x-forwarded-for": "[2001:db8::7]:4711" }, "2001:db8::7"],
    ["of a chain", { "x-forwarded-for": "192.0.2.1, 2001:db8:1::5, 10.1.2.3" }, "192.0.2.1"],
    ["behind what the client made up", { "x-forwarded-for": "203.0.113.1, 192.0.2.1, 10.1.2.3" }, "192.0.2.1"],
    ["that is a proxy's itself", { "x-forwarded-for": "10.9.9.9, 10.1.2.3" }, "10.9.9.9"],
    ["that its proxy keeps to itself", { "x-forwarded-for": "unknown, 10.1.2.3" }, "10.1.2.3"],
    ["that is not told", {}, PROXY],
    ["by Forwarded", { forwarded: 'for="[2001:db8::7]:4711", for=10.1.2.3' }, "2001:db8::7"],
    ["by both headers", { forwarded: "For=192.0.2.1", "x-forwarded-for": "192.0.2.1" }, "192.0.2.1"],
    // One of them is the client's own.
    ["by two headers that differ", { forwarded: "for=192.0.2.1", "x-forwarded-for": "192.0.2.2" }, PROXY],
  ])("%s", (_, headers, address) => {
    expect(from(PROXY, headers).address).toBe(address);
  });
});

test("whatever the headers say, the URL is one, and its scheme is HTTP or HTTPS", () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('"', "for=", 'for="', ";", ",", "[::1]", "a:1", "/a", "/../b", "https"),
  );
  const headers = fc.dictionary(
    fc.constantFrom(...["for", "host", "port", "prefix", "proto"].map((name) => `x-forwarded-${name}`), "forwarded"),
    fc.array(text, { maxLength: 5 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(headers, (sent) => {
      const { baseUrl, prefix } = from(PROXY, sent);
      const url = new URL(`${baseUrl}/api`);
      expect(["http:", "https:"]).toContain(url.protocol);
      expect(baseUrl.endsWith("/")).toBe(false);
      expect(prefix === "" || prefix.startsWith("/")).toBe(true);
      expect(url.search + url.hash + url.username).toBe("");
    }),
  );
});

describe("networks", () => {
  test.each(["10.0.0.0/33", "10.0.0", "2001:db8::/129", "localhost", "", "10.0.0.0/8/8", "10.0.0.0/", "fe80::1%eth0"])(
    "%j is none",
    (text) => {
      expect(parseNetworks(["127.0.0.1", text])).toEqual({ wrong: text });
    },
  );

  test("have addresses of both versions", () => {
    const some = networks("127.0.0.1", "::1", "192.0.2.0/24");
    expect(["127.0.0.1", "::1", "192.0.2.255", "::ffff:192.0.2.1"].map(some.has)).toEqual([true, true, true, true]);
    expect(["127.0.0.2", "::2", "192.0.3.1", "", "unknown"].map(some.has)).toEqual(Array(5).fill(false));
  });
});
