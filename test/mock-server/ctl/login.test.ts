// Where the server, the login and what is trusted come from.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Program, startProgram } from "../../support/program.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { Operator, withoutColours } from "./operator.ts";

interface Profiles {
  readonly current: string;
  readonly profiles: Readonly<
    Record<string, { readonly server: string; readonly token?: string; readonly user?: string }>
  >;
}

let folder: string;
let server: RunningServer;
let operator: Operator;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeepctl-login-"));
  server = await startServer(join(folder, "server"));
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  operator = new Operator({ UPKEEP_PASSWORD: server.password });
});

afterEach(() => operator.remove());

const profiles = (): Profiles =>
  JSON.parse(readFileSync(join(operator.home, ".config/upkeepctl/profiles.json"), "utf8")) as Profiles;

const logIn = (...more: readonly string[]) =>
  operator.output("login", "--server", server.url, "--user", server.email, ...more);

/** A personal access token of the administrator. */
async function token(): Promise<string> {
  const name = `token-${performance.now()}`;
  return (await server.management.call("POST", "/api/management/v1/useradm/settings/tokens", { name })).text();
}

describe("a login", () => {
  test("asks at a terminal for what is not given, and does not show the password", async () => {
    const asking = new Operator();
    const first = await asking.terminal(80, ["login", "--server", server.url, "--user", server.email], {
      answer: (seen) => (seen.includes(`Password of ${server.email}: `) ? `${server.password}\r` : undefined),
    });
    asking.remove();
    expect(first).toMatchObject({ code: 0 });
    expect(first.text).toContain(`Logged in to ${server.url} as ${server.email}, in profile default.`);
    expect(first.text).not.toContain(server.password);
  });

  test("keeps a token that is given, after the server has said whose it is", async () => {
    const given = await token();
    const file = join(operator.home, "token");
    writeFileSync(file, `${given}\n`);
    await operator.output("login", "--server", server.url, "--token", file);
    expect(profiles().profiles.default).toMatchObject({ token: given, user: server.email });
    const wrong = await operator.run(["login", "--server", server.url, "--token-value", "worthless"]);
    expect(wrong.code).toBe(4);
    expect(profiles().profiles.default?.token).toBe(given);
  });

  test("takes the token of mender-cli, and the server of its configuration, but not of one in the working directory", async () => {
    const given = await token();
    mkdirSync(join(operator.home, ".cache/mender"), { recursive: true });
    writeFileSync(join(operator.home, ".cache/mender/authtoken"), given);
    const elsewhere = join(operator.home, "elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, ".mender-clirc"), JSON.stringify({ server: "http://127.0.0.1:1" }));
    const without = await operator.run(["login", "--import-mender-cli"], { directory: elsewhere });
    expect(without.code).toBe(2);
    expect(without.stderr).toContain("--server URL");
    writeFileSync(join(operator.home, ".mender-clirc"), JSON.stringify({ server: server.url }));
    expect(await operator.run(["login", "--import-mender-cli"], { directory: elsewhere })).toMatchObject({ code: 0 });
    expect(profiles().profiles.default).toMatchObject({ server: server.url, token: given });
  });

  test("ends with a logout: the token is worthless, also elsewhere", async () => {
    await logIn();
    const { token: ended = "" } = profiles().profiles.default ?? {};
    await operator.output("logout");
    expect(profiles().profiles.default).not.toHaveProperty("token");
    const again = ["devices", "list", "--server", server.url, "--token-value", ended];
    expect(await operator.run(again)).toMatchObject({ code: 4 });
    expect(await operator.run(["logout"])).toMatchObject({ code: 4 });
  });
});

describe("the server and the login", () => {
  test("come from flags before variables before the profile", async () => {
    await logIn();
    const nowhere = "http://127.0.0.1:1";
    const list = ["releases", "list"];
    expect(await operator.run(list)).toMatchObject({ code: 0 });
    const variable = await operator.run(list, { environment: { UPKEEP_SERVER: nowhere } });
    expect(variable).toMatchObject({ code: 1 });
    expect(variable.stderr).toContain(`${nowhere}: `);
    const flag = [...list, "--server", server.url];
    expect(await operator.run(flag, { environment: { UPKEEP_SERVER: nowhere } })).toMatchObject({ code: 0 });
    const environment = { UPKEEP_SERVER: server.url, UPKEEP_TOKEN: await token() };
    const other = new Operator();
    expect(await other.run(list, { environment })).toMatchObject({ code: 0 });
    expect(await other.run([...list, "--token-value", "worthless"], { environment })).toMatchObject({ code: 4 });
    other.remove();
  });

  test("the token of a profile goes to no other server", async () => {
    await logIn();
    const elsewhere = server.url.replace("127.0.0.1", "localhost");
    expect(await operator.run(["releases", "list", "--server", elsewhere])).toMatchObject({ code: 4 });
  });

  test("profiles are listed without their tokens, chosen, named for one command, and removed", async () => {
    await logIn();
    await logIn("--profile", "second");
    expect(await operator.output("profile", "list")).toMatch(/^ +default .*\n\* +second /m);
    await operator.output("profile", "use", "default");
    expect(profiles().current).toBe("default");
    expect(await operator.output("profile", "list", "--json")).not.toContain(profiles().profiles.second?.token);
    expect(await operator.run(["releases", "list", "--profile", "second"])).toMatchObject({ code: 0 });
    const missing = await operator.run(["releases", "list", "--profile", "third"]);
    expect(missing).toMatchObject({ code: 2 });
    expect(missing.stderr).toContain("'upkeepctl login --profile third' makes it");
    await operator.output("profile", "remove", "second");
    expect(Object.keys(profiles().profiles)).toEqual(["default"]);
  });

  test("profiles that cannot be read are named, and nothing is overwritten", async () => {
    const file = join(operator.home, ".config/upkeepctl/profiles.json");
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, '{"current": 1}');
    const login = await operator.run(["login", "--server", server.url, "--user", server.email]);
    expect(login.code).toBe(1);
    expect(login.stderr).toContain(`${file} has no profiles as upkeepctl writes them`);
    expect(readFileSync(file, "utf8")).toBe('{"current": 1}');
  });

  test("a role that does not suffice is exit code 4", async () => {
    const uploader = { email: "ci@example.com", password: "a long password for ci", role: "ci-upload" };
    await server.management.call("POST", "/api/management/v1/useradm/users", uploader);
    const environment = { UPKEEP_PASSWORD: uploader.password };
    await operator.run(["login", "--server", server.url, "--user", uploader.email], { environment });
    const listed = await operator.run(["devices", "list"]);
    expect(listed.code).toBe(4);
    expect(listed.stderr).not.toContain("upkeepctl login");
  });
});

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");

interface TlsServer {
  readonly url: string;
  /** Its path. */
  readonly certificate: string;
  readonly administrator: { readonly email: string; readonly password: string };
}

describe("a server with a certificate of its own", () => {
  let program: Program;
  let tls: TlsServer;

  beforeAll(async () => {
    const data = join(folder, "tls");
    const flags = ["--listen", "127.0.0.1:0", "--tls-self-signed", "--json"];
    program = startProgram(process.execPath, [UPKEEP_SERVER, "serve", "--data", data, ...flags]);
    const said = await until("the server says where it is", () => program.stdout().match(/^\{.*\}$/m)?.[0]);
    tls = JSON.parse(said) as TlsServer;
  });

  afterAll(() => program.stop());

  test("is trusted with --ca, which the profile keeps, or with -k", async () => {
    const environment = { UPKEEP_PASSWORD: tls.administrator.password };
    const login = ["login", "--server", tls.url, "--user", tls.administrator.email];
    const refused = await operator.run(login, { environment });
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toMatch(/certificate/);
    const ca = join(operator.home, "ca.pem");
    writeFileSync(ca, readFileSync(tls.certificate));
    expect(await operator.run([...login, "--ca", ca], { environment })).toMatchObject({ code: 0 });
    rmSync(ca);
    expect(await operator.run(["releases", "list"])).toMatchObject({ code: 0 });
    const careless = new Operator();
    expect(await careless.run([...login, "-k"], { environment })).toMatchObject({ code: 0 });
    careless.remove();
  });
});

test("what is typed wrongly is exit code 2, with the command's usage", async () => {
  const missing = await operator.run(["deploy"]);
  expect(missing).toMatchObject({ code: 2, stdout: "" });
  expect(missing.stderr).toContain("A word is missing: upkeepctl deploy <release> (see 'upkeepctl deploy --help')");
  expect((await operator.run(["devices", "lst"])).stderr).toContain("Did you mean list?");
  expect(await operator.run(["devices", "list", "--stauts", "pending"])).toMatchObject({ code: 2 });
  expect(withoutColours((await operator.run(["--help"])).stdout)).toContain("upkeepctl deploy <release>");
});
