import { describe, expect, it } from "vitest";
import { proxiesFrom, proxyExceptions, proxyFor } from "../../../agent/server/proxies.ts";
import { fc } from "../../support/fast-check.ts";

const PROXY = "http://proxy:3128";

/** Whether `url` goes through the proxy when NO_PROXY is `noProxy`. */
function proxied(noProxy: string, url: string): boolean {
  return proxyFor({ http: PROXY, https: PROXY, exceptions: proxyExceptions(noProxy) }, url) === PROXY;
}

describe("the variables of the environment", () => {
  it("name the proxies, in either case, with or without a scheme", () => {
    expect(proxiesFrom({ http_proxy: "http://a:1", HTTPS_PROXY: "b:2", NO_PROXY: "" })).toEqual({
      http: "http://a:1",
      https: "http://b:2",
      exceptions: [],
    });
    expect(proxiesFrom({})).toEqual({ http: undefined, https: undefined, exceptions: [] });
    expect(proxiesFrom({ http_proxy: "http://a:1", HTTP_PROXY: "http://a:1" }).http).toBe("http://a:1");
  });

  it.each([
    [{ http_proxy: "http://a", HTTP_PROXY: "http://b" }, "http_proxy and HTTP_PROXY are both set, and differ"],
    [{ https_proxy: "socks5://me:secret@a" }, "https_proxy must be a URL that starts with http:// or https://"],
    [{ no_proxy: "a.example,10.0.0.0/99" }, "NO_PROXY: '10.0.0.0/99' is neither a host"],
    [{ no_proxy: "*.*.example" }, "NO_PROXY: '*.*.example' is neither"],
  ])("are refused where they cannot be meant: %j", (environment, message) => {
    expect(() => proxiesFrom(environment)).toThrow(expect.objectContaining({ code: "proxy-invalid" }));
    expect(() => proxiesFrom(environment)).toThrow(message);
    expect(() => proxiesFrom(environment)).not.toThrow("secret");
  });

  it("of a CGI program are not taken from its client's headers", () => {
    expect(proxiesFrom({ REQUEST_METHOD: "GET", HTTP_PROXY: "http://evil" }).http).toBeUndefined();
  });

  it("are one for http and one for https", () => {
    const proxies = proxiesFrom({ http_proxy: "http://a", https_proxy: "http://b" });
    expect(proxyFor(proxies, "http://host/")).toBe("http://a");
    expect(proxyFor(proxies, "https://host/")).toBe("http://b");
  });
});

describe("NO_PROXY", () => {
  it.each([
    // entry, hosts that are reached directly, hosts that are not
    [
      "example.com",
      ["example.com", "a.example.com", "EXAMPLE.com", "example.com."],
      ["notexample.com", "example.org", "com"],
    ],
    [".example.com", ["example.com", "a.b.example.com"], ["badexample.com", "e.com", "xample.com"]],
    ["*.example.com", ["a.example.com"], ["example.com", "badexample.com"]],
    ["Example.COM.", ["example.com"], ["example.co"]],
    ["*", ["anything", "10.1.2.3", "[::1]"], []],
    ["10.0.0.0/8", ["10.255.0.1", "[::ffff:10.1.1.1]"], ["11.0.0.1", "10.example.com", "[a00::1]"]],
    ["192.168.1.128/25", ["192.168.1.128", "192.168.1.255"], ["192.168.1.127", "192.168.2.128"]],
    ["10.1.2.3", ["10.1.2.3"], ["10.1.2.30", "1.10.1.2"]],
    ["fd00::/8", ["[fd12:3456::1]"], ["[fe80::1]", "253.0.0.1"]],
    ["[::1]", ["[::1]", "[0:0:0:0:0:0:0:1]"], ["[::2]"]],
    ["::1", ["[::1]"], ["[::2]"]],
    ["0.0.0.0/0", ["1.2.3.4"], ["[2001:db8::1]", "host"]],
    ["example.com:8443", ["example.com:8443", "a.example.com:8443"], ["example.com", "example.com:443"]],
    ["example.com:80", ["example.com", "example.com:80"], ["example.com:81"]],
    ["[::1]:8080", ["[::1]:8080"], ["[::1]"]],
    ["a.example, b.example c.example\td.example", ["a.example", "b.example", "c.example", "d.example"], ["e.example"]],
    [",, ,", [], ["example.com"]],
  ])("%s", (noProxy, direct, through) => {
    for (const host of direct) expect([host, proxied(noProxy, `http://${host}/`)]).toEqual([host, false]);
    for (const host of through) expect([host, proxied(noProxy, `http://${host}/`)]).toEqual([host, true]);
  });

  it("with a port means the scheme's own port where the URL names none", () => {
    expect(proxied("example.com:443", "https://example.com/")).toBe(false);
    expect(proxied("example.com:443", "http://example.com/")).toBe(true);
  });

  const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
  const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));

  it("excepts a host exactly if it is the entry, or the entry and a dot end it", () => {
    fc.assert(
      fc.property(domain, domain, fc.boolean(), (host, entry, dotted) => {
        const expected = host === entry || host.endsWith(`.${entry}`);
        expect(proxied(dotted ? `.${entry}` : entry, `https://${host}/`)).toBe(!expected);
      }),
    );
    fc.assert(
      fc.property(domain, label, (entry, below) => {
        expect(proxied(entry, `https://${below}.${entry}/`)).toBe(false);
        expect(proxied(entry, `https://${below}${entry}/`)).toBe(true);
      }),
    );
  });

  it("excepts an address exactly if its first bits are those of the network", () => {
    const bits = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const text = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
    fc.assert(
      fc.property(bits, bits, fc.nat(32), fc.nat(32), (network, noise, length, same) => {
        // An address that has `same` bits in common with the network, at least.
        const mask = same === 0 ? 0 : (-1 << (32 - same)) >>> 0;
        const host = ((network & mask) | (noise & ~mask)) >>> 0;
        const common = Math.clz32(network ^ host);
        expect(proxied(`${text(network)}/${length}`, `http://${text(host)}/`)).toBe(common < length);
      }),
    );
  });

  it("means the same however its entries are separated, and whatever their order", () => {
    fc.assert(
      fc.property(
        fc.array(domain, { maxLength: 6 }),
        domain,
        fc.constantFrom(",", " ", ", ", " ,\t"),
        (entries, host, by) => {
          const url = `http://${host}/`;
          const one = entries.every((entry) => proxied(entry, url));
          expect(proxied(entries.join(by), url)).toBe(one);
          expect(proxied([...entries].reverse().join(by), url)).toBe(one);
        },
      ),
    );
  });

  it("either means something or is refused, and never anything else", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          proxied(text, "http://[2001:db8::1]:8080/");
          proxied(text, "http://host/");
        } catch (error) {
          expect(error).toMatchObject({ code: "proxy-invalid" });
        }
      }),
      { numRuns: 500 },
    );
  });
});
