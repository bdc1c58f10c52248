import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";
import { beforeEach, describe, expect, it } from "vitest";
import { describePeer } from "../../interop/peers.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { temporaryDirectory } from "../system/directory.ts";
import { UPKEEP, upkeep } from "./device.ts";

const directory = temporaryDirectory();
let root: string;
let count = 0;

beforeEach(() => {
  root = join(directory, String(++count));
  mkdirSync(root);
});

const configFile = (): string => join(root, "etc/mender/mender.conf");
const config = () => JSON.parse(readFileSync(configFile(), "utf8"));
const deviceType = (): string => readFileSync(join(root, "var/lib/mender/device_type"), "utf8");

function configured(content: string): void {
  mkdirSync(join(root, "etc/mender"), { recursive: true });
  writeFileSync(configFile(), content, { mode: 0o644 });
}

describe("upkeep setup", () => {
  it("writes configuration and device type from its flags, for root's eyes only", () => {
    const { code, stdout } = upkeep(
      root,
      "setup",
      ...["--device-type", "board", "--server-url", "https://updates.example.com"],
      ...["--tenant-token", "t", "--update-poll", "60", "--inventory-poll=120", "--retry-poll", "30"],
    );
    expect({ code, stdout: stdout.split("\n")[0] }).toEqual({ code: 0, stdout: `Wrote ${configFile()}.` });
    expect(config()).toEqual({
      ServerURL: "https://updates.example.com",
      TenantToken: "t",
      UpdatePollIntervalSeconds: 60,
      InventoryPollIntervalSeconds: 120,
      RetryPollIntervalSeconds: 30,
    });
    expect(statSync(configFile()).mode & 0o777).toBe(0o600);
    expect(deviceType()).toBe("device_type=board\n");
  });

  it("keeps what is there and was not named, known or not, in its own spelling", () => {
    configured('{"serverurl": "http://old", "Mystery": {"a": [1]}, "updatepollintervalseconds": 7}');
    expect(upkeep(root, "setup", "--device-type", "board", "--url", "http://new").code).toBe(0);
    expect(config()).toEqual({ Mystery: { a: [1] }, updatepollintervalseconds: 7, ServerURL: "http://new" });
    expect(statSync(configFile()).mode & 0o777).toBe(0o644);
    configured('{"Servers": [{"ServerURL": "http://a"}, {"ServerURL": "http://b"}]}');
    expect(upkeep(root, "setup", "--update-poll", "9").code).toBe(0);
    expect(config().Servers).toHaveLength(2);
    expect(upkeep(root, "setup", "--server-url", "http://c").code).toBe(0);
    expect(config()).toEqual({ UpdatePollIntervalSeconds: 9, ServerURL: "http://c" });
  });

  it("points to a server on this machine for a demo", async () => {
    expect(upkeep(root, "setup", "--demo").code).toBe(0);
    expect(config()).toEqual({
      ServerURL: "http://127.0.0.1:8080",
      UpdatePollIntervalSeconds: 5,
      InventoryPollIntervalSeconds: 5,
      RetryPollIntervalSeconds: 30,
    });
    expect(deviceType()).toBe("device_type=demo\n");
    const certificate = join(directory, "server.pem");
    mkdirSync(join(root, directory), { recursive: true });
    const { cert } = await generate([{ name: "commonName", value: "localhost" }], {});
    writeFileSync(join(root, certificate), cert);
    const url = "https://localhost:8443";
    expect(upkeep(root, "setup", "--demo", "--server-url", url, "--server-cert", certificate).code).toBe(0);
    expect(config()).toMatchObject({ ServerURL: url, ServerCertificate: certificate, UpdatePollIntervalSeconds: 5 });
  });

  it("writes to the file that the command line names, which need not be there", () => {
    const path = join(root, "own/agent.conf");
    expect(upkeep(root, "--config", path, "setup", "--demo").stdout).toContain(`Wrote ${path}.\n`);
    expect(existsSync(configFile())).toBe(false);
  });

  it.each([
    [[], "--device-type and --server-url must be given: standard input is no terminal, so setup cannot ask"],
    [["--device-type", "b"], "--server-url must be given: standard input is no terminal, so setup cannot ask"],
    [["--demo", "--server-url", "localhost"], /mender\.conf: ServerURL is "localhost", but must be a URL/],
    [["--demo", "--update-poll", "0"], /UpdatePollIntervalSeconds is 0, but must be a whole number from 1 to/],
    [["--demo", "--update-poll", "soon"], /UpdatePollIntervalSeconds is null, but must be a whole number/],
    [["--demo", "--device-type", "a\nb"], 'the device type "a\\nb" must be one line, without blanks around it'],
    [["--demo", "--identity", "serial"], '--identity "serial": must be KEY=VALUE, in one line'],
    [["--demo", "--identity", "serial=1\n"], '--identity "serial=1\\n": must be KEY=VALUE, in one line'],
    [["--demo", "--server-cert", "/none.pem"], /--server-cert: .*\/none\.pem does not exist/],
  ])("writes nothing with %j, and says why", (args, message) => {
    const { code, stderr } = upkeep(root, "setup", ...args);
    expect(code).toBe(1);
    if (typeof message === "string") expect(stderr).toBe(`upkeep: ${message}\n`);
    else expect(stderr).toMatch(message);
    expect(existsSync(configFile())).toBe(false);
    expect(existsSync(join(root, "var/lib/mender/device_type"))).toBe(false);
  });

  it("writes an identity program, and leaves one that is there as it is", () => {
    const program = join(root, "usr/share/mender/identity/mender-device-identity");
    const said = (): string => spawnSync(program, { encoding: "utf8" }).stdout;
    const args = ["setup", "--demo", "--identity", "serial=it's 1", "--identity", "site=a=b"];
    expect(upkeep(root, ...args).stdout).toContain(`Wrote ${program}.\n`);
    expect(said()).toBe("serial=it's 1\nsite=a=b\n");
    expect(upkeep(root, ...args).code).toBe(0);
    const other = upkeep(root, "setup", "--demo", "--update-poll", "77", "--identity", "serial=2");
    expect(other.stderr).toBe(`upkeep: --identity: this device has an identity program already, ${program}\n`);
    expect(other.code).toBe(1);
    expect(config().UpdatePollIntervalSeconds).toBe(5);
    expect(said()).toContain("it's 1");
  });

  it("leaves a configuration that it cannot read as it is", () => {
    configured("{ServerURL}");
    expect(upkeep(root, "setup", "--demo").stderr).toContain("not JSON from line 1, column 2 on");
    expect(readFileSync(configFile(), "utf8")).toBe("{ServerURL}");
  });
});

describePeer(["script"], "upkeep setup on a terminal", () => {
  /** `script` gives the program a terminal. */
  function typed(input: string, ...args: string[]) {
    const command = [process.execPath, UPKEEP, "--root", root, "setup", ...args].join(" ");
    const { status, stdout } = spawnSync("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
      encoding: "utf8",
      input,
      timeout: WAIT_MS,
    });
    return { code: status, output: stdout };
  }

  it("asks for what it needs, again where an answer will not do", () => {
    const { code, output } = typed("board\nnonsense\nhttp://server\n\n");
    expect(code, output).toBe(0);
    expect(output).toContain("Device type: ");
    expect(output).toContain('this answer: ServerURL is "nonsense", but must be a URL');
    expect(output).toContain("Seconds between two polls [1800]: ");
    expect(config()).toEqual({ ServerURL: "http://server", UpdatePollIntervalSeconds: 1800 });
    expect(deviceType()).toBe("device_type=board\n");
  });

  it("offers what is there, and does not ask for what a flag says", () => {
    configured('{"ServerURL": "http://known"}');
    const { code, output } = typed("\n77\n", "--device-type", "board");
    expect(code, output).toBe(0);
    expect(output).toContain("URL of the server [http://known]: ");
    expect(output).not.toContain("Device type");
    expect(config()).toEqual({ ServerURL: "http://known", UpdatePollIntervalSeconds: 77 });
  });
});
