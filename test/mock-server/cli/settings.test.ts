import { describe, expect, test } from "vitest";
import { isLoopback, parseListenAddress, parsePublicUrl, urlOf } from "../../../mock-server/cli/addresses.ts";
import { parseDuration } from "../../../mock-server/cli/durations.ts";
import { settingsOf } from "../../../mock-server/cli/serve/options.ts";

const DEFAULTS = {
  listen: "127.0.0.1:8080",
  "device-token-life": "7d",
  "download-link-life": "24h",
  "max-connections": 10_000,
  "max-connections-per-address": 1000,
  data: "/d",
};

describe("the settings of serve", () => {
  test("are complete without any option", () => {
    expect(settingsOf(DEFAULTS)).toEqual({
      dataDirectory: "/d",
      listen: { host: "127.0.0.1", port: 8080 },
      administrator: {},
      autoAccept: false,
      insecureNoAuth: false,
      adaptive: true,
      console: true,
      deviceTokenLifeMs: 7 * 86_400_000,
      downloadLinkLifeMs: 86_400_000,
      connectionsMax: 10_000,
      connectionsPerAddressMax: 1000,
    });
  });

  test.each([
    [{ listen: "0.0.0.0:1", "insecure-no-auth": true }, "must be a loopback address, not 0.0.0.0"],
    [{ cert: "a" }, "--cert and --key go together"],
    [{ key: "a" }, "--cert and --key go together"],
    [{ cert: "a", key: "b", "tls-self-signed": true }, "--tls-self-signed and --cert exclude each other"],
    [{ blobs: "bucket" }, '--blobs "bucket": must be s3://BUCKET or s3://BUCKET/PREFIX'],
    [{ blobs: "s3://a" }, '--blobs "s3://a": must be s3://BUCKET'],
    [{ blobs: "s3://key:secret@bucket" }, "must be s3://BUCKET"],
    [{ blobs: "s3://bucket/a/../b" }, '--blobs "s3://bucket/a/../b": must be s3://BUCKET'],
    [{ "s3-endpoint": "https://s3.example.com" }, "--s3-endpoint says more of --blobs, which is missing"],
    [{ "s3-path-style": true }, "--s3-path-style says more of --blobs, which is missing"],
    [{ blobs: "s3://bucket", "s3-endpoint": "s3.example.com" }, '--s3-endpoint "s3.example.com": must be a URL'],
    [
      { blobs: "s3://bucket", "s3-public-endpoint": "https://a/b" },
      '--s3-public-endpoint "https://a/b": must be a URL',
    ],
    [{ blobs: "s3://bucket", "s3-region": "Frankfurt!" }, '--s3-region "Frankfurt!": must be'],
    [
      { blobs: "s3://bucket", "download-link-life": "8d" },
      "--download-link-life: links to a bucket are good for seven",
    ],
    [{ "device-token-life": "0s" }, '--device-token-life "0s": must be a time'],
    [{ "max-connections": 0 }, "--max-connections 0: must be a whole number of at least 1"],
    [{ "max-connections-per-address": 1.5 }, "--max-connections-per-address 1.5: must be a whole number"],
    [
      { "trust-proxy": ["127.0.0.1", "10.0.0.0/40"] },
      '--trust-proxy "10.0.0.0/40": must be an IP address, or a network',
    ],
    [{ "trust-proxy": ["localhost"] }, '--trust-proxy "localhost": must be an IP address, or a network'],
    [{ "trust-proxy": ["127.0.0.1"], "insecure-no-auth": true }, "--insecure-no-auth lets anybody manage devices"],
    [{ "trust-proxy": ["127.0.0.1"], "test-controls": 1 }, "--test-controls lets anybody change everything"],
    [{ "download-link-life": "forever" }, '--download-link-life "forever": must be a time'],
  ])("%o cannot be", (args, message) => {
    expect(() => settingsOf({ ...DEFAULTS, ...args })).toThrow(message);
  });
});

test("the proxies of serve are addresses and networks", () => {
  const { proxies } = settingsOf({ ...DEFAULTS, "trust-proxy": ["127.0.0.1", "10.0.0.0/8"] });
  expect(["127.0.0.1", "10.1.2.3", "192.0.2.1"].map((address) => proxies?.has(address))).toEqual([true, true, false]);
});

describe("the bucket of serve", () => {
  test("has a region, and everything else only if it is said", () => {
    expect(settingsOf({ ...DEFAULTS, blobs: "s3://fleet" }).bucket).toEqual({
      bucket: "fleet",
      prefix: "",
      region: "us-east-1",
      pathStyle: false,
    });
  });

  test("is part of one, in a store of one's own", () => {
    const args = {
      blobs: "s3://fleet/one//two",
      "s3-endpoint": "http://minio:9000/",
      "s3-public-endpoint": "https://artifacts.example.com",
      "s3-region": "eu-central-1",
      "s3-path-style": true,
    };
    expect(settingsOf({ ...DEFAULTS, ...args }).bucket).toEqual({
      bucket: "fleet",
      prefix: "one/two/",
      endpoint: "http://minio:9000",
      publicEndpoint: "https://artifacts.example.com",
      region: "eu-central-1",
      pathStyle: true,
    });
  });
});

describe("addresses", () => {
  test.each([
    ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
    ["[::1]:65535", { host: "::1", port: 65_535 }],
    ["updates.example:80", { host: "updates.example", port: 80 }],
  ])("%s", (text, expected) => {
    expect(parseListenAddress(text)).toEqual(expected);
  });

  test.each(["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:8080", "a b:1", "h:1/x"])(
    "%j is none",
    (text) => {
      expect(() => parseListenAddress(text)).toThrow(`--listen ${JSON.stringify(text)}: must be HOST:PORT`);
    },
  );

  test("of this machine alone", () => {
    expect(["localhost", "127.0.0.1", "127.1.2.3", "::1"].every(isLoopback)).toBe(true);
    expect(["0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example"].some(isLoopback)).toBe(false);
  });

  test("make URLs that this machine reaches", () => {
    expect(urlOf("http", { host: "0.0.0.0", port: 1 })).toBe("http://localhost:1");
    expect(urlOf("https", { host: "::1", port: 2 })).toBe("https://[::1]:2");
  });

  test("of others are URLs without query or user", () => {
    expect(parsePublicUrl("https://updates.example:8443/base/")).toBe("https://updates.example:8443/base");
    for (const text of ["updates.example", "ftp://a", "https://a?b", "https://user@a", "https://a#b"]) {
      expect(() => parsePublicUrl(text)).toThrow(`--public-url ${JSON.stringify(text)}`);
    }
  });
});

test("durations have a unit", () => {
  expect(["90s", "15m", "24h", "7d"].map((text) => parseDuration("x", text))).toEqual([
    90_000, 900_000, 86_400_000, 604_800_000,
  ]);
  for (const text of ["", "5", "1w", "-1s", "1.5h", "4000d"]) expect(() => parseDuration("x", text)).toThrow("--x");
});
