// `upkeep-server try`, as a process of its own, ended in each way.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { ManagementClient } from "../../support/management.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";

const ROOT = join(import.meta.dirname, "../../..");
const SERVER = join(ROOT, "mock-server/bin/upkeep-server.mjs");
const LIMIT_MS = 4 * WAIT_MS;

const folder = mkdtempSync(join(tmpdir(), "upkeep-try-test-"));
let count = 0;
let temporary = "";
let running: Program | undefined;

afterEach(async () => {
  await running?.stop("SIGKILL");
  running = undefined;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts the command with a temporary directory of its own. */
function begin(command: readonly string[] = [SERVER, "try"]): Program {
  temporary = join(folder, String(++count));
  mkdirSync(temporary);
  running = startProgram(process.execPath, command, { environment: { TMPDIR: temporary } });
  return running;
}

const said = (program: Program, pattern: RegExp): Promise<RegExpExecArray> =>
  until(`it says ${pattern}`, () => pattern.exec(program.output()) ?? undefined, {
    explain: program.output,
    limitMs: LIMIT_MS,
  });

/** Ids and command lines of the processes that have the directory in their environment. */
function processes(): readonly string[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      if (!readFileSync(`/proc/${name}/environ`, "latin1").includes(temporary)) return [];
      return [`${name} ${readFileSync(`/proc/${name}/cmdline`, "latin1").replaceAll("\0", " ")}`];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

const directories = (): readonly string[] => readdirSync(temporary).filter((name) => name.startsWith("upkeep-"));

function expectNothingLeft(): void {
  expect(processes()).toEqual([]);
  expect(directories()).toEqual([]);
}

async function untilNothingIsLeft(): Promise<void> {
  await until("nothing is left", () => (processes().length + directories().length === 0 ? true : undefined), {
    explain: () => [...processes(), ...directories()].join("\n"),
  });
}

async function expectClosed(url: string): Promise<void> {
  await expect(fetch(url)).rejects.toThrow("fetch failed");
}

const MOMENTS = [/page +(\S+)/, /Accepted/, /roof +installing/, /Deploying app-2\.0[\s\S]*yard +downloading/];

describe("upkeep-server try", { timeout: LIMIT_MS }, () => {
  test("has a device that succeeds, one that is slow, one that fails with its log, and one that waits", async () => {
    const program = begin();
    const [, url = "", password = ""] = await said(program, /page +(\S+)\/\n.*\n +password +(\S+)/);
    expect(await (await fetch(`${url}/`)).text()).toContain("<title>");
    const [, deployment = ""] = await said(program, /deployments\/([0-9a-f-]{36})\n/);
    const management = await ManagementClient.logIn(url, "admin@example.com", password);
    const serials = new Map(
      (await management.devices()).map(({ id, identity_data }) => [identity_data.serial, id] as const),
    );
    expect((await management.device("serial", "garage")).status).toBe("pending");
    await said(program, /roof +failure/);
    expect(await management.log(deployment, serials.get("roof") ?? "")).toContain("ERROR: no camera at");
    await said(program, /Deploying app-2\.0[\s\S]*hall +success/);
    const statuses = async () =>
      Object.fromEntries((await management.deviceDeployments(deployment)).map(({ id, status }) => [id, status]));
    expect(await statuses()).toMatchObject({ [serials.get("yard") ?? ""]: "downloading" });

    // What it says under 3.
    const [, camera = ""] = await said(program, /touch (\S+)/);
    writeFileSync(camera, "");
    await said(program, /Done\. The page stays/);
    const retry = await management.call("POST", `/api/management/v1/deployments/deployments/${deployment}/retry`);
    const [retried] = await management.finished(retry.headers.get("location")?.split("/").at(-1) ?? "");
    expect(retried?.status).toBe("success");

    expect(await program.stop("SIGINT")).toBe(0);
    expectNothingLeft();
    await expectClosed(url);
  });

  test.each([
    { signal: "SIGINT", moments: MOMENTS },
    { signal: "SIGTERM", moments: MOMENTS.slice(0, 1) },
    { signal: "SIGHUP", moments: MOMENTS.slice(2, 3) },
  ] as const)("leaves nothing behind after $signal", async ({ signal, moments }) => {
    for (const moment of moments) {
      const program = begin();
      const [, url] = await said(program, moment);
      expect(await program.stop(signal), program.output()).toBe(0);
      expectNothingLeft();
      if (url !== undefined) await expectClosed(url);
    }
  });

  test("leaves nothing behind after SIGKILL, even before it has said anything", async () => {
    for (const moment of MOMENTS.slice(1, 3)) {
      const program = begin();
      await said(program, moment);
      expect(await program.stop("SIGKILL")).toBe("SIGKILL");
      await untilNothingIsLeft();
    }
    const program = begin();
    await until("it has a directory", () => directories()[0]);
    await program.stop("SIGKILL");
    await untilNothingIsLeft();
  });

  test("ends at once by a second Ctrl-C when the first one gets stuck, and leaves nothing behind", async () => {
    const program = begin();
    await said(program, /Accepted/);
    const guard = Number(
      processes()
        .find((line) => line.includes("mktemp"))
        ?.split(" ")[0],
    );
    process.kill(guard, "SIGSTOP");
    let end: number | null | undefined;
    program.child.once("exit", (code) => {
      end = code;
    });
    // Those that follow at once are taken for the same one.
    await until("it has ended", () => {
      program.child.kill("SIGINT");
      return end === undefined ? undefined : true;
    });
    expect(end).toBe(1);
    process.kill(guard, "SIGCONT");
    await untilNothingIsLeft();
  });

  test("is what npm run demo -- --keep does", async () => {
    const program = begin(["--import", "tsx", join(ROOT, "test/demo/demo.ts"), "--keep"]);
    await said(program, /Deploying app-1\.0/);
    expect(await program.stop("SIGINT"), program.output()).toBe(0);
    expectNothingLeft();
  });

  test("says what is wrong with an agent that cannot be run", () => {
    temporary = join(folder, String(++count));
    mkdirSync(temporary);
    const agent = join(temporary, "agent.cjs");
    writeFileSync(agent, 'console.error("this is no agent"); process.exit(3);\n');
    const { status, stderr } = spawnSync(process.execPath, [SERVER, "try", "--agent", agent], {
      encoding: "utf8",
      env: { ...process.env, TMPDIR: temporary },
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^upkeep-server: the agent of \w+ has ended \(code 3\):\nthis is no agent\n$/);
    expectNothingLeft();
  });
});
