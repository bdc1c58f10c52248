import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfigFile } from "../../../agent/config/file.ts";
import { IDLE_KEYS, KEYS } from "../../../agent/config/keys.ts";
import { loadConfig } from "../../../agent/config/load.ts";
import { systemPaths } from "../../../agent/config/paths.ts";
import { overlay, settingsFrom } from "../../../agent/config/settings.ts";
import { linuxFiles } from "../../../agent/system/files.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();

function write(name: string, content: unknown): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const parse = (content: unknown) => parseConfigFile(JSON.stringify(content), "mender.conf");

describe("a configuration file", () => {
  it("has the defaults of the reference client where it says nothing", () => {
    expect(settingsFrom({})).toMatchObject({
      servers: [],
      tenantToken: "",
      deviceTier: "standard",
      updatePollIntervalMs: 1_800_000,
      inventoryPollIntervalMs: 28_800_000,
      retryPollIntervalMs: 300_000,
      retryPollCount: 0,
      retryDownloadCount: 10,
      moduleTimeoutMs: 14_400_000,
      scriptTimeoutMs: 3_600_000,
      scriptRetryTimeoutMs: 1_800_000,
      scriptRetryIntervalMs: 60_000,
      skipVerify: false,
      artifactVerifyKeys: [],
      logLevel: "info",
    });
  });

  it("is read without regard to the case of its keys", () => {
    const { values, warnings } = parse({
      serverurl: "https://one.example/",
      httpsCLIENT: { certificate: "/c", KEY: "/k" },
    });
    expect(warnings).toEqual([]);
    expect(settingsFrom(values)).toMatchObject({
      servers: ["https://one.example"],
      clientCertificate: { certificate: "/c", key: { path: "/k" } },
    });
  });

  it("is warned about unknown keys and about keys that change nothing", () => {
    const { warnings } = parse({
      ServerUrls: "x",
      UpdateControlMap: { MapTimeout: 1 },
      DBus: { Enabled: true },
    });
    expect(warnings).toEqual([
      "mender.conf: unknown key ServerUrls is ignored",
      "mender.conf: UpdateControlMap has no effect: update control maps are not asked for",
      "mender.conf: DBus has no effect: the agent offers nothing on D-Bus",
    ]);
  });

  it.each([
    [
      { UpdatePollIntervalSeconds: "30" },
      'mender.conf: UpdatePollIntervalSeconds is "30", but must be a whole number from 1',
    ],
    [{ RetryDownloadCount: 0 }, "mender.conf: RetryDownloadCount is 0, but must be a whole number from 1 to 10000"],
    [{ SkipVerify: "yes" }, 'mender.conf: SkipVerify is "yes", but must be true or false'],
    [{ ServerURL: "updates.example.com" }, 'mender.conf: ServerURL is "updates.example.com", but must be a URL'],
    [{ ServerURL: "https://me:secret@host" }, "has no password"],
    [{ ServerURL: "http://a b" }, 'mender.conf: ServerURL is "http://a b", but must be a URL'],
    [{ ServerURL: "http://a/?tenant=1" }, 'mender.conf: ServerURL is "http://a/?tenant=1", but must be a URL'],
    [{ ServerURL: "http:a" }, 'mender.conf: ServerURL is "http:a", but must be a URL'],
    [{ Servers: [{ ServerURL: "http://a/\nb" }] }, "mender.conf: Servers is"],
    [{ ServerCertificate: "/etc/ca\u0000.pem" }, 'mender.conf: ServerCertificate is "/etc/ca\\u0000.pem", but must be'],
    [{ ArtifactVerifyKeys: ["/etc/a\nb"] }, "mender.conf: ArtifactVerifyKeys is"],
    [{ Servers: ["https://a"] }, 'mender.conf: Servers is ["https://a"], but must be a list such as'],
    [{ ArtifactVerifyKeys: "/key" }, "mender.conf: ArtifactVerifyKeys is"],
    [{ ServerCertificate: "ca.pem" }, 'mender.conf: ServerCertificate is "ca.pem", but must be an absolute path'],
    [{ KeyType: "rsa" }, 'mender.conf: KeyType is "rsa", but must be one of ed25519, rsa3072'],
    [{ DeviceTier: "big" }, 'mender.conf: DeviceTier is "big", but must be one of standard, micro'],
    [
      { DeviceTier: "system" },
      'mender.conf: DeviceTier is "system", but must be one of standard, micro (system is the tier of devices that ' +
        "update several components through Mender's orchestrator, which upkeep does not have)",
    ],
    [{ TenantToken: null }, "mender.conf: TenantToken is null, but must be a text"],
    [{ HttpsClient: "x" }, 'mender.conf: HttpsClient is "x", but must be an object'],
    [{ ServerURL: "http://a", serverURL: "http://b" }, "given once (ServerURL is there already)"],
  ])("is refused with the key and the value: %j", (content, message) => {
    expect(() => parse(content)).toThrow(
      expect.objectContaining({ code: "config-invalid", message: expect.stringContaining(message) }),
    );
  });

  it("has no blanks around URLs, paths, schedules and names, and keeps those of texts", () => {
    const settings = settingsFrom(
      parse({
        Servers: [{ ServerURL: " http://one.example " }, { ServerURL: "https://two.example/\t" }],
        RedirectHosts: ["cdn.example "],
        ServerCertificate: " /etc/ca.pem\n",
        ArtifactVerifyKeys: ["/etc/key.pem "],
        InstallWindow: " * 2 * * * ",
        ScheduleTimezone: "Europe/Oslo ",
        KeyType: "rsa3072 ",
        TenantToken: " token ",
      }).values,
    );
    expect(settings).toMatchObject({
      servers: ["http://one.example", "https://two.example"],
      redirectHosts: ["cdn.example"],
      serverCertificate: "/etc/ca.pem",
      artifactVerifyKeys: ["/etc/key.pem"],
      windows: { installs: "* 2 * * *", timezone: "Europe/Oslo" },
      keyType: "rsa3072",
      tenantToken: " token ",
    });
    expect(settingsFrom(parse({ ServerURL: "http://one.example " }).values).servers).toEqual(["http://one.example"]);
    expect(settingsFrom(parse({ ServerURL: "  " }).values).servers).toEqual([]);
  });

  it("may name keys in hardware, and the engine to reach them", () => {
    const uri = "pkcs11:token=device;object=key";
    const settings = (content: unknown) => settingsFrom(parse(content).values);
    expect(settings({ Security: { AuthPrivateKey: uri, SSLEngine: "" } }).staticKey).toEqual({ engine: "pkcs11", uri });
    expect(settings({ Security: { AuthPrivateKey: uri, SSLEngine: "tpm2" } }).staticKey).toMatchObject({
      engine: "tpm2",
    });
    expect(settings({ HttpsClient: { Certificate: "/c", Key: uri } }).clientCertificate).toEqual({
      certificate: "/c",
      key: { engine: "pkcs11", uri },
    });
    expect(() => settings({ HttpsClient: { Key: "tpm2:1" } })).toThrow("an absolute path or a pkcs11: URI");
  });

  it("may name hosts that a server may send on to", () => {
    const hosts = ["cdn.example.com", ".example.org", "h:8443", "10.1.2.3", "[::1]:80"];
    expect(settingsFrom(parse({ RedirectHosts: hosts }).values).redirectHosts).toEqual(hosts);
    for (const host of ["", "https://a", "a b", "*.a", ".", "a/b", "-a"]) {
      expect(() => parse({ RedirectHosts: [host] })).toThrow("must be a list of hosts");
    }
  });

  it.each([
    ['{"ServerURL": "http://a"\n "SkipVerify": true}', "line 2, column 2"],
    ['{\n  "ServerURL": http://a\n}', "line 2, column 16"],
    ['{"A": 1,}', "line 1, column 9"],
    ['{"A": [1, 2', "line 1, column 12"],
    ['{"A": "unfinished\n}', "line 1, column 7"],
    ["", "line 1, column 1"],
    ['{"A": 1} x', "line 1, column 10"],
    ["# ServerURL=http://a", "line 1, column 1"],
  ])("that is not JSON is refused with the place: %j", (text, place) => {
    expect(() => parseConfigFile(text, "/etc/mender/mender.conf")).toThrow(
      expect.objectContaining({
        code: "config-not-json",
        message: `/etc/mender/mender.conf: not JSON from ${place} on`,
      }),
    );
  });

  it("that is JSON but no object is refused", () => {
    expect(() => parseConfigFile("[1]", "mender.conf")).toThrow("mender.conf: must hold a JSON object, but holds [1]");
  });

  it("must have both a client certificate and its key, or neither", () => {
    expect(() => settingsFrom(parse({ HttpsClient: { Key: "/k" } }).values)).toThrow(
      "HttpsClient.Key is configured, but HttpsClient.Certificate is not",
    );
  });
});

describe("the table of keys", () => {
  it("has a default that its own type allows, and no key twice", () => {
    for (const [name, facts] of Object.entries(KEYS)) {
      if ("default" in facts) expect(() => parse({ [name]: facts.default })).not.toThrow();
    }
    const names = [...Object.keys(KEYS), ...Object.keys(IDLE_KEYS)].map((name) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("the configuration", () => {
  it("lays the main file over the fallback key by key", async () => {
    const main = write("main.conf", { ServerURL: "https://main", HttpsClient: { Key: "/main-key" } });
    const fallbackConfig = write("fallback.conf", {
      Servers: [{ ServerURL: "https://a" }, { ServerURL: "https://b" }],
      UpdatePollIntervalSeconds: 7,
      HttpsClient: { Certificate: "/fallback-certificate", Key: "/fallback-key" },
      Extra: 1,
    });
    const { config, warnings } = await loadConfig(linuxFiles, { config: main, fallbackConfig });
    expect(config).toMatchObject({
      servers: ["https://main"],
      updatePollIntervalMs: 7000,
      clientCertificate: { certificate: "/fallback-certificate", key: { path: "/main-key" } },
    });
    expect(warnings).toEqual([`${fallbackConfig}: unknown key Extra is ignored`]);
  });

  it("refuses one file that has both a key and its list", () => {
    const both = parse({ ServerURL: "https://a", Servers: [{ ServerURL: "https://b" }] }).values;
    expect(() => overlay({}, both)).toThrow("ServerURL and Servers are both configured");
  });

  it("may be missing at its default places, but not where the command line says it is", async () => {
    const { config, paths } = await loadConfig(linuxFiles, { root: join(directory, "empty") });
    expect(config.servers).toEqual([]);
    expect(paths.configFile).toBe(join(directory, "empty/etc/mender/mender.conf"));
    await expect(loadConfig(linuxFiles, { config: join(directory, "none.conf") })).rejects.toThrow(
      `the configuration ${directory}/none.conf does not exist`,
    );
  });

  it("is found under another root, and so are the paths in it", async () => {
    write("root/etc/mender/mender.conf", {
      ServerCertificate: "/etc/ca.pem",
      ArtifactVerifyKeys: ["/etc/a", "/etc/a", "/etc/b"],
    });
    const root = join(directory, "root");
    const { config } = await loadConfig(linuxFiles, { root: `${root}/` });
    expect(config.serverCertificate).toBe(`${root}/etc/ca.pem`);
    expect(config.artifactVerifyKeys).toEqual([`${root}/etc/a`, `${root}/etc/b`]);
  });

  it("keeps paths of the command line as they are", () => {
    expect(systemPaths({ root: "/r", datastore: "/data" })).toMatchObject({
      datastore: "/data",
      fallbackConfigFile: "/data/mender.conf",
      modules: ["/r/usr/share/mender/modules/v3", "/r/usr/share/upkeep/modules/v3"],
    });
  });
});
