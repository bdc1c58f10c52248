import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { given } from "@upkeep/shared/given";
import { processorMsOf } from "../../support/processor-time.ts";
import type { DownloadOrder, DownloadResult } from "./downloads.ts";
import type { LoadOrder, LoadResult, LoadTarget } from "./load.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");
const UPKEEP_SERVER = join(REPOSITORY, "mock-server/bin/upkeep-server.mjs");

export interface Running {
  readonly port: number;
  /** Of the process, in KiB: now, and the most that it ever was. */
  memory(): { readonly residentKiB: number; readonly peakKiB: number };
  /** Processor time of the process so far, user and system, in milliseconds. */
  processorMs(): number;
  readonly administrator?: { readonly email: string; readonly password: string };
  stop(): Promise<void>;
}

/** @param ready Finds the port in what the program writes to standard output. */
async function start(
  args: readonly string[],
  ready: (output: string) => Pick<Running, "port" | "administrator"> | undefined,
  log: string,
): Promise<Running> {
  const child = spawn(process.execPath, args, { cwd: REPOSITORY, stdio: ["ignore", "pipe", openSync(log, "a")] });
  const { stdout } = child;
  if (stdout === null) throw new Error("the program has no output");
  let output = "";
  const ended = once(child, "close");
  let told: Pick<Running, "port" | "administrator"> | undefined;
  for await (const chunk of stdout.setEncoding("utf8")) {
    output += chunk;
    told = ready(output);
    if (told !== undefined) break;
  }
  if (told === undefined) throw new Error(`${args.join(" ")} ended: ${readFileSync(log, "utf8").slice(-2000)}`);
  return {
    ...told,
    memory: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
      return { residentKiB: field("VmRSS"), peakKiB: field("VmHWM") };
    },
    processorMs: () => processorMsOf(child.pid ?? 0),
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** The built server, with its log in a file, as a service has it. */
export async function startUpkeep(data: string, args: readonly string[] = []): Promise<Running> {
  const place = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--json", "--log-format", "json"];
  return await start(
    [...(process.env.UPKEEP_BENCH_NODE_FLAGS?.split(" ") ?? []), UPKEEP_SERVER, ...place, ...args],
    (output) => {
      const line = /^\{.*\}$/m.exec(output)?.[0];
      if (line === undefined) return undefined;
      const { url, administrator } = JSON.parse(line) as Pick<Running, "administrator"> & { url: string };
      return { port: Number(new URL(url).port), ...given({ administrator }) };
    },
    join(data, "log"),
  );
}

export async function startBare(folder: string): Promise<Running> {
  return await start(
    ["--import", "tsx", join(import.meta.dirname, "bare.ts")],
    (output) => (output.includes("\n") ? { port: Number(output) } : undefined),
    join(folder, "bare.log"),
  );
}

/** Start a program of this folder that reads its order from standard input. */
function startWith(program: string, order: unknown) {
  const child = spawn(process.execPath, ["--import", "tsx", join(import.meta.dirname, program)], {
    cwd: REPOSITORY,
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify(order));
  return child;
}

/** Ask several targets in turn. @returns What came of it, in their order. */
export async function loadInTurn(order: LoadOrder): Promise<LoadResult[]> {
  return resultsOf(await text(startWith("load.ts", order).stdout));
}

export async function load(target: LoadTarget, options: Omit<LoadOrder, "targets">): Promise<LoadResult> {
  return onlyOne(await loadInTurn({ targets: [target], ...options }));
}

/** Begin to send requests, until it is told to stop. */
export async function beginLoad(target: LoadTarget, connections: number): Promise<{ stop(): Promise<LoadResult> }> {
  const order: LoadOrder = { targets: [target], connections, seconds: 86_400 };
  const child = startWith("load.ts", order);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
  });
  const ended = once(child, "close");
  await Promise.race([once(child.stdout, "data"), ended]);
  return {
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
      return onlyOne(resultsOf(output));
    },
  };
}

function resultsOf(output: string): LoadResult[] {
  return JSON.parse(output.replace("begun\n", "")) as LoadResult[];
}

function onlyOne([result]: readonly LoadResult[]): LoadResult {
  if (result === undefined) throw new Error("the load had no target");
  return result;
}

/** Download to the end. */
export async function download(order: DownloadOrder): Promise<DownloadResult> {
  return JSON.parse(await text(startWith("downloads.ts", order).stdout)) as DownloadResult;
}

/** Begin slow downloads; they go on until they are stopped. */
export async function beginDownloads(order: DownloadOrder): Promise<{ stop(): Promise<void> }> {
  const child = startWith("downloads.ts", order);
  const ended = once(child, "close");
  const begun = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
  if (begun === undefined) throw new Error("the slow downloads could not begin");
  return {
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
