import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { get as getTls } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ManagementClient } from "../../support/management.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";
import { makeArtifact, multipart } from "../api/fixture.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
const UPKEEPCTL = join(import.meta.dirname, "../../../mock-server/bin/upkeepctl.mjs");
const ARTIFACTS = "/api/management/v1/deployments/artifacts";

interface Ready {
  readonly url: string;
  readonly data: string;
  readonly certificate?: string;
  readonly administrator?: { readonly email: string; readonly password: string };
}

let folder: string;
let data: string;
let started: Program[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-serve-"));
  data = join(folder, "data");
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((program) => program.stop("SIGKILL")));
  rmSync(folder, { recursive: true, force: true });
});

function serve(...args: readonly string[]): Program {
  const program = startProgram(process.execPath, [
    ...[UPKEEP_SERVER, "serve", "--data", data, "--listen", "127.0.0.1:0"],
    ...args,
  ]);
  started.push(program);
  return program;
}

async function ready(...args: readonly string[]): Promise<Ready & { readonly program: Program }> {
  const program = serve("--json", ...args);
  const line = await until("it is ready", () => program.stdout().match(/^.*\n/)?.[0], { explain: program.output });
  return { program, ...(JSON.parse(line) as Ready) };
}

async function logIn({ url, administrator }: Ready): Promise<ManagementClient> {
  return await ManagementClient.logIn(url, administrator?.email ?? "", administrator?.password ?? "");
}

async function failing(...args: readonly string[]): Promise<string> {
  const program = serve(...args);
  expect(await program.ended).toBe(1);
  expect(program.output().trimEnd().split("\n")).toHaveLength(1);
  return program.output();
}

describe("the first start", () => {
  test("makes an administrator and prints the password once, and only on standard output", async () => {
    const program = serve();
    await until("it is ready", () => (/password: \S+/.test(program.stdout()) ? true : undefined), {
      explain: program.output,
    });
    const text = program.stdout();
    const [, url = ""] = /^Upkeep server is ready: (http:\/\/127\.0\.0\.1:\d+)$/m.exec(text) ?? [];
    const [, password = ""] = /^ {2}password: (\S+)$/m.exec(text) ?? [];
    await ManagementClient.logIn(url, "admin@example.com", password);
    // The command that it prints for the next step.
    const [, command = ""] = /^ {2}upkeepctl (login .*)$/m.exec(text) ?? [];
    const environment = { UPKEEP_PASSWORD: password, XDG_CONFIG_HOME: join(folder, "profiles") };
    const login = startProgram(process.execPath, [UPKEEPCTL, ...command.split(" ")], { environment });
    expect(await login.ended, login.output()).toBe(0);
    expect(await program.stop()).toBe(0);
    const logged = program
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .join("\n");
    expect(logged).toContain('"event":"listening"');
    expect(logged).not.toContain(password);
    expect(statSync(data).mode & 0o777).toBe(0o700);

    const second = await ready();
    expect(second.administrator).toBeUndefined();
    await ManagementClient.logIn(second.url, "admin@example.com", password);
  });
});

describe("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "with %s lets an upload in flight finish, and exits with 0",
    async (signal) => {
      const server = await ready();
      const management = await logIn(server);
      const { token } = (await loginToken(server)) satisfies { token: string };
      const { body, headers } = multipart([["artifact", await makeArtifact({ content: Buffer.alloc(300_000, "z") })]]);
      const url = new URL(ARTIFACTS, server.url);
      const upload = request(url, { method: "POST", headers: { ...headers, authorization: `Bearer ${token}` } });
      upload.write(body.subarray(0, 100_000));
      // The server has begun to write it down.
      await until("it arrives", () => (readdirSync(join(data, "artifacts")).length > 0 ? true : undefined));
      expect(await management.json(ARTIFACTS)).toEqual([]);
      server.program.child.kill(signal);
      await until("it was heard", () => (server.program.output().includes("in flight") ? true : undefined));
      const answered = once(upload, "response");
      upload.end(body.subarray(100_000));
      const [answer] = await answered;
      expect(answer.statusCode).toBe(201);
      answer.resume();
      expect(await server.program.ended).toBe(0);

      const again = await ready("--insecure-no-auth");
      const listed = (await (await fetch(again.url + ARTIFACTS)).json()) as { size: number }[];
      expect(listed).toEqual([expect.objectContaining({ name: "release-1" })]);
    },
  );

  test("with SIGKILL in the middle of an upload leaves nothing behind at the next start", async () => {
    const server = await ready();
    const { token } = await loginToken(server);
    const { body, headers } = multipart([["artifact", await makeArtifact({ content: Buffer.alloc(300_000, "z") })]]);
    const url = new URL(ARTIFACTS, server.url);
    const upload = request(url, { method: "POST", headers: { ...headers, authorization: `Bearer ${token}` } });
    upload.on("error", () => undefined);
    upload.write(body.subarray(0, 100_000));
    const directory = join(data, "artifacts");
    await until("it arrives", () => (readdirSync(directory).length > 0 ? true : undefined));
    await server.program.stop("SIGKILL");
    expect(readdirSync(directory)).toHaveLength(1);
    writeFileSync(join(directory, "0082f4c4-77de-48ec-be72-af837efdca6e"), "bytes that no record tells of");
    const again = await ready();
    // Records without artifacts remove none.
    expect(readdirSync(directory)).toEqual(["0082f4c4-77de-48ec-be72-af837efdca6e"]);
    expect(again.program.output()).toContain("the records have no artifacts, so nothing is removed");
  });
});

async function loginToken({ url, administrator }: Ready): Promise<{ token: string }> {
  const credentials = `${administrator?.email}:${administrator?.password}`;
  const answer = await fetch(`${url}/api/management/v1/useradm/auth/login`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` },
  });
  return { token: await answer.text() };
}

describe("a download", () => {
  test("over a real connection comes whole and in parts, and a broken one does no harm", async () => {
    const server = await ready("--insecure-no-auth", "--public-url", "http://updates.example/");
    const content = await makeArtifact({ content: Buffer.alloc(5_000_000, "0123456789") });
    const { body, headers } = multipart([["artifact", content]]);
    const sent = await fetch(server.url + ARTIFACTS, { method: "POST", body: new Uint8Array(body), headers });
    expect(sent.status).toBe(201);
    const link = (await (await fetch(`${server.url}${sent.headers.get("location")}/download`)).json()) as {
      uri: string;
    };
    expect(link.uri.startsWith("http://updates.example/api/")).toBe(true);
    const uri = link.uri.replace("http://updates.example", server.url);
    const abandoned = await fetch(uri);
    await abandoned.body?.cancel();
    const whole = Buffer.from(await (await fetch(uri)).arrayBuffer());
    expect(whole.equals(content)).toBe(true);
    const tail = await fetch(uri, { headers: { range: "bytes=4000000-" } });
    expect(tail.status).toBe(206);
    expect(Buffer.from(await tail.arrayBuffer()).equals(content.subarray(4_000_000))).toBe(true);
    expect(await server.program.stop()).toBe(0);
  });
});

describe("TLS", () => {
  function askTls(url: string, ca: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      getTls(`${url}/api/management/v2/devauth/devices`, { ca }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).on("error", reject);
    });
  }

  test("with a certificate of our own, which stays the same and which devices can trust", async () => {
    const server = await ready("--tls-self-signed");
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:/);
    const certificate = readFileSync(server.certificate ?? "", "utf8");
    expect(statSync(join(data, "tls/key.pem")).mode & 0o777).toBe(0o600);
    expect(await askTls(server.url, certificate)).toBe(401);
    await expect(askTls(server.url, "")).rejects.toThrow(/self-signed certificate/);
    expect(await server.program.stop()).toBe(0);
    const again = await ready("--tls-self-signed");
    expect(readFileSync(again.certificate ?? "", "utf8")).toBe(certificate);
    const files = ["--cert", join(data, "tls/certificate.pem"), "--key", join(data, "tls/key.pem")];
    const key = readFileSync(join(data, "tls/key.pem"));
    await again.program.stop();
    const given = await ready(...files);
    expect(await askTls(given.url, certificate)).toBe(401);
    expect(key.includes("PRIVATE KEY")).toBe(true);
  });

  test("with a certificate that is none is refused", async () => {
    const file = join(folder, "bad.pem");
    writeFileSync(file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect(await failing("--cert", file, "--key", file)).toContain("--cert and --key: not a certificate with its key");
    expect(await failing("--cert", join(folder, "none.pem"), "--key", file)).toContain("there is no such file");
  });
});

describe("a start that cannot be", () => {
  test("because another server uses the data directory", async () => {
    await ready();
    expect(await failing()).toBe(`upkeep-server: another server is using the data directory ${data}\n`);
  });

  test("because the port is taken", async () => {
    const { url } = await ready();
    const where = url.replace("http://", "");
    data = join(folder, "other");
    expect(await failing("--listen", where)).toBe(`upkeep-server: --listen ${where}: another program has this port\n`);
  });

  test("because the data directory is a file, or lies below one", async () => {
    writeFileSync(data, "");
    expect(await failing()).toContain(`the data directory ${data} cannot be used`);
    data = join(data, "below");
    expect(await failing()).toContain(`the data directory ${data} cannot be used`);
  });

  test("because an option makes no sense", async () => {
    expect(await failing("--listen", "0.0.0.0:0", "--insecure-no-auth")).toContain("must be a loopback address");
    expect(existsSync(data)).toBe(false);
  });

  test("because of an option that there is not, which is answered with the help", async () => {
    const program = serve("--colour", "green");
    expect(await program.ended).toBe(1);
    expect(program.output()).toContain("--auto-accept");
    expect(program.output()).toContain("upkeep-server: Unknown argument");
  });
});

test("without --data, everything is kept in the user's data directory", async () => {
  const output = execFileSync(process.execPath, [UPKEEP_SERVER, "serve", "--help"], { encoding: "utf8" });
  expect(output).toContain("XDG_DATA_HOME");
  const program = startProgram(process.execPath, [UPKEEP_SERVER, "serve", "--listen", "127.0.0.1:0", "--json"], {
    environment: { XDG_DATA_HOME: folder },
  });
  started.push(program);
  await until("it is ready", () => (program.stdout().includes("\n") ? true : undefined), { explain: program.output });
  expect((JSON.parse(program.stdout()) as Ready).data).toBe(join(folder, "upkeep-server"));
});
