import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request as requestPlain } from "node:http";
import { request as requestTls } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@upkeep/shared/logging";
import { DEVICE_PATHS, SIGNATURE_HEADER } from "@upkeep/shared/protocol";
import { generate } from "selfsigned";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SERVE_OPTIONS, settingsOf } from "../../mock-server/cli/serve/options.ts";
import { type Serving, startServing } from "../../mock-server/cli/serve.ts";
import { openSystem } from "../../mock-server/system/index.ts";
import { makeArtifact, multipart } from "../mock-server/api/fixture.ts";
import { TestDevice } from "../mock-server/domain-fixture.ts";
import { type Program, startProgram } from "../support/program.ts";
import { until } from "../support/waiting.ts";
import { describePeer, requirePeer } from "./peers.ts";

const README = readFileSync(join(import.meta.dirname, "../../mock-server/README.md"), "utf8");
const LOGIN = "/api/management/v1/useradm/auth/login";
const DEPLOYMENTS = "/api/management/v1/deployments";
const RELEASES = "/api/management/v2/deployments/deployments/releases";
const PASSWORD = "a long password";
/** Passwords are hashed slowly on purpose. */
const LONG_MS = 240_000;
/** A slash in a name must come through encoded, as the client sent it. */
const RELEASE = "release/1";

/** The configurations that the README shows: for a whole host, and the lines that differ for a path. */
function configurations(): readonly [host: string, path: string] {
  const [host, path] = [...README.matchAll(/^```nginx\n(.*?)^```$/gms)].map(([, text]) => text);
  if (host === undefined || path === undefined) throw new Error("the README has no two configurations for nginx");
  return [host, path];
}

/** @throws Error unless `part` is there: what a test replaces, a reader must find. */
function replaced(text: string, part: string, by: string): string {
  if (!text.includes(part)) throw new Error(`the configuration has no ${JSON.stringify(part)}`);
  return text.replace(part, by);
}

interface Setup {
  readonly tls: boolean;
  readonly prefix: string;
  /** What a reader changes in the README's configuration. */
  readonly change: (configuration: string) => string;
}

const withoutTls = (text: string): string =>
  replaced(text.replace(/^ *ssl_certificate.*\n/gm, ""), "listen 443 ssl;", "listen 443;");

function underPath(text: string): string {
  const [map = "", location = ""] = configurations()[1].split("\n\n");
  const moved = replaced(text, "    location / {\n        proxy_pass http://upkeep-server;\n", location);
  return `${map}\n${replaced(moved, '        proxy_set_header X-Forwarded-Prefix "";\n', "")}`;
}

const withoutPort = (text: string): string =>
  replaced(replaced(text, "Host $http_host;", "Host $host;"), 'X-Forwarded-Port "";', "X-Forwarded-Port $server_port;");

const SETUPS: readonly (readonly [name: string, setup: Setup])[] = [
  ["plain", { tls: false, prefix: "", change: withoutTls }],
  ["TLS at nginx, on another port", { tls: true, prefix: "", change: (text) => text }],
  ["below a path", { tls: true, prefix: "/updates", change: underPath }],
  ["$host, which has no port", { tls: false, prefix: "", change: (text) => withoutPort(withoutTls(text)) }],
];

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Address of this machine to ask from. */
  readonly from?: string;
}

/** Ask, and trust any certificate. */
function ask(url: string, { method = "GET", headers = {}, body, from }: Ask = {}): Promise<Answer> {
  const options = { method, headers, agent: false, ...(from === undefined ? {} : { localAddress: from }) };
  return new Promise((resolve, reject) => {
    const sent = url.startsWith("https:")
      ? requestTls(url, { ...options, rejectUnauthorized: false })
      : requestPlain(url, options);
    sent.on("error", reject).on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.end(body);
  });
}

function json<T>({ status, body }: Answer): T {
  if (status !== 200) throw new Error(`answered ${status}: ${body}`);
  return JSON.parse(body.toString()) as T;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describePeer(["nginx"], "Behind nginx, as the README configures it,", () => {
  let folder: string;
  let serving: Serving;
  let content: Buffer;
  let certificate: { readonly cert: string; readonly private: string };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-nginx-"));
    chmodSync(folder, 0o755);
    certificate = await generate([{ name: "commonName", value: "localhost" }], { keyType: "ec" });
    writeFileSync(join(folder, "password"), PASSWORD);
    const system = openSystem();
    const defaults = Object.fromEntries(
      Object.entries(SERVE_OPTIONS).flatMap(([name, option]) => ("default" in option ? [[name, option.default]] : [])),
    );
    const settings = settingsOf({
      ...defaults,
      data: join(folder, "data"),
      listen: "127.0.0.1:0",
      "auto-accept": true,
      "admin-password-file": join(folder, "password"),
      "trust-proxy": ["127.0.0.1"],
    });
    const logger = createLogger({ level: "error", format: "json", write: () => undefined, now: system.clock.now });
    serving = await startServing(system, settings, logger);
    content = await makeArtifact({ name: RELEASE, content: Buffer.alloc(3_000_000, "upkeep") });
  });
  afterAll(async () => {
    await serving.stop(0);
    rmSync(folder, { recursive: true });
  });

  async function startNginx(setup: Setup): Promise<{ readonly base: string; readonly program: Program }> {
    const port = await freePort();
    const home = mkdtempSync(join(folder, "nginx-"));
    mkdirSync(join(home, "temp"));
    writeFileSync(join(home, "tls.pem"), certificate.cert);
    writeFileSync(join(home, "tls.key"), certificate.private);
    const served = [
      ["server 127.0.0.1:8080;", `server ${new URL(serving.url).host};`],
      ["listen 443", `listen 127.0.0.1:${port}`],
      ...(setup.tls
        ? [
            ["/etc/ssl/updates.example.com.pem", join(home, "tls.pem")],
            ["/etc/ssl/updates.example.com.key", join(home, "tls.key")],
          ]
        : []),
    ].reduce((text, [part = "", by = ""]) => replaced(text, part, by), setup.change(configurations()[0]));
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((kind) => `${kind}_temp_path ${join(home, "temp", kind)};`)
      .join("\n");
    const user = process.getuid?.() === 0 ? "user root;" : "";
    writeFileSync(
      join(home, "nginx.conf"),
      `${user} daemon off; pid ${join(home, "pid")}; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${served}}\n`,
    );
    const program = startProgram(requirePeer("nginx"), ["-p", home, "-c", join(home, "nginx.conf"), "-e", "stderr"]);
    const base = `${setup.tls ? "https" : "http"}://localhost:${port}${setup.prefix}`;
    await until("nginx takes requests", async () => (await ask(`${base}/health`).catch(() => undefined))?.status, {
      explain: program.output,
    });
    return { base, program };
  }

  async function logIn(base: string, password = PASSWORD, more: Ask = {}): Promise<Answer> {
    const credentials = Buffer.from(`admin@example.com:${password}`).toString("base64");
    return await ask(base + LOGIN, {
      ...more,
      method: "POST",
      headers: { ...more.headers, authorization: `Basic ${credentials}` },
    });
  }

  /** As a client that follows what the server says. */
  const absolute = (base: string, path: string): string => new URL(path, base).href;

  describe.each(SETUPS)("%s", (_, setup) => {
    let base: string;
    let program: Program;
    let authorization: { readonly authorization: string };

    beforeAll(async () => {
      ({ base, program } = await startNginx(setup));
      const answer = await logIn(base);
      expect(answer.status).toBe(200);
      authorization = { authorization: `Bearer ${answer.body}` };
      const cookie = String(answer.headers["set-cookie"]);
      expect(cookie).toContain(`Path=${setup.prefix}${LOGIN.replace("/login", "")};`);
      expect(cookie.includes("Secure")).toBe(setup.tls);
    });
    afterAll(async () => {
      // The master process ends its workers.
      await program.stop("SIGQUIT");
    });

    test("artifacts go up, and links to them lead back through nginx", async () => {
      const listed = json<{ id: string }[]>(await ask(`${base}${DEPLOYMENTS}/artifacts`, { headers: authorization }));
      if (listed.length === 0) {
        const { body, headers } = multipart([["artifact", content]]);
        const uploaded = await ask(`${base}${DEPLOYMENTS}/artifacts`, {
          method: "POST",
          headers: { ...headers, ...authorization },
          body,
        });
        expect(uploaded.status, String(uploaded.body)).toBe(201);
        const { location = "" } = uploaded.headers;
        const shown = await ask(absolute(base, location), { headers: authorization });
        expect(json<{ name: string }>(shown).name).toBe(RELEASE);
      }
      const release = await ask(`${base}${RELEASES}/${encodeURIComponent(RELEASE)}`, { headers: authorization });
      const { artifacts } = json<{ artifacts: { id: string }[] }>(release);
      const link = await ask(`${base}${DEPLOYMENTS}/artifacts/${artifacts[0]?.id}/download`, {
        headers: authorization,
      });
      const { uri } = json<{ uri: string }>(link);
      expect(uri.startsWith(`${base}/api/`), uri).toBe(true);
      expect((await ask(uri)).body.equals(content)).toBe(true);
    });

    test("a device is told to download through nginx, and goes on where it was cut", async () => {
      const device = new TestDevice(JSON.stringify({ mac: base }));
      const { body, signature } = device.request();
      const login = await ask(base + DEVICE_PATHS.authRequests, {
        method: "POST",
        headers: { "content-type": "application/json", [SIGNATURE_HEADER]: signature },
        body,
      });
      expect(login.status).toBe(200);
      const token = { authorization: `Bearer ${login.body}`, "content-type": "application/json" };
      const { sub } = JSON.parse(Buffer.from(String(login.body).split(".")[1] ?? "", "base64url").toString());
      const created = await ask(`${base}${DEPLOYMENTS}/deployments`, {
        method: "POST",
        headers: { ...authorization, "content-type": "application/json" },
        body: JSON.stringify({ name: `to ${base}`, artifact_name: RELEASE, devices: [sub] }),
      });
      expect(created.status, String(created.body)).toBe(201);
      const shown = await ask(absolute(base, created.headers.location ?? ""), { headers: authorization });
      expect(json<{ name: string }>(shown).name).toBe(`to ${base}`);

      const next = await ask(base + DEVICE_PATHS.nextV2, {
        method: "POST",
        headers: token,
        body: JSON.stringify({ device_provides: { device_type: "board", artifact_name: "factory" } }),
      });
      const { artifact } = json<{ artifact: { source: { uri: string } } }>(next);
      expect(artifact.source.uri.startsWith(`${base}/api/`), artifact.source.uri).toBe(true);
      expect((await ask(artifact.source.uri)).body.equals(content)).toBe(true);
      const rest = await ask(artifact.source.uri, { headers: { range: "bytes=1000000-" } });
      expect([rest.status, rest.body.equals(content.subarray(1_000_000))]).toEqual([206, true]);
    });

    test("the other pages of a list, and the page of the API, lead back through nginx", async () => {
      const list = await ask(`${base}/api/management/v2/devauth/devices?per_page=1`, { headers: authorization });
      const [, first = ""] = /<([^>]*)>; rel="first"/.exec(String(list.headers.link)) ?? [];
      expect(first.startsWith(`${setup.prefix}/api/`), first).toBe(true);
      expect((await ask(absolute(base, first), { headers: authorization })).status).toBe(200);

      const docs = `${base}/api/docs`;
      expect(String((await ask(docs)).body)).not.toMatch(/fetch\("\//);
      const document = await ask(absolute(docs, "openapi.json"));
      expect(json<{ servers: unknown }>(document).servers).toEqual([{ url: base }]);
    });

    test("headers that the client makes up change nothing", async () => {
      const forged = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-port": "1",
        "x-forwarded-prefix": "/evil",
        "x-forwarded-for": "127.0.0.1, 203.0.113.9",
        forwarded: "for=203.0.113.9;host=evil.example;proto=http",
      };
      const document = await ask(`${base}/api/openapi.json`, { headers: forged });
      expect(json<{ servers: unknown }>(document).servers).toEqual([{ url: base }]);
    });
  });

  test("guesses of one client do not keep out another, whatever they say of themselves", {
    timeout: LONG_MS,
  }, async () => {
    const { base, program } = await startNginx({ tls: false, prefix: "", change: withoutTls });
    try {
      const guess = async (from: string, claimed: string): Promise<number> =>
        (await logIn(base, "wrong", { from, headers: { "x-forwarded-for": claimed } })).status;
      const statuses = [];
      for (let n = 0; n < 6; n += 1) statuses.push(await guess("127.0.0.2", `198.51.100.${n}`));
      expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
      expect(await guess("127.0.0.3", "127.0.0.2")).toBe(401);
    } finally {
      await program.stop("SIGQUIT");
    }
  });

  test("who reaches the server without nginx is not believed", async () => {
    const headers = { "x-forwarded-host": "evil.example", forwarded: "for=203.0.113.9;host=evil.example" };
    const document = await ask(`${serving.url}/api/openapi.json`, { headers, from: "127.0.0.2" });
    expect(json<{ servers: unknown }>(document).servers).toEqual([{ url: serving.url }]);
  });
});
