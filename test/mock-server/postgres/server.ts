import { execFileSync } from "node:child_process";
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { processorMsOf } from "../../support/processor-time.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";

/** Debian keeps the server's programs off the path, by version. */
const DEBIAN = "/usr/lib/postgresql";
const PROGRAMS = ["initdb", "postgres", "psql"] as const;

export const POSTGRES_MISSING = "PostgreSQL is not installed: apt-get install postgresql";

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

function debianDirectories(): string[] {
  if (!isThere(DEBIAN)) return [];
  return readdirSync(DEBIAN)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN, version, "bin"));
}

/** The directory that has the server's programs; `undefined` if PostgreSQL is not installed. */
export function postgresPrograms(): string | undefined {
  return [...debianDirectories(), ...(process.env.PATH ?? "").split(delimiter)].find(
    (directory) => directory !== "" && PROGRAMS.every((name) => isThere(join(directory, name))),
  );
}

export interface PostgresServer {
  /** Of a database that is there. */
  readonly url: string;
  /** End it as a power cut does, as far as it is concerned, and start it again. @param between Done in between. */
  crash(between?: () => Promise<void>): Promise<void>;
  /** Stop all its processes where they are, and let them go on: for its clients, as a network that loses everything. */
  freeze(between: () => Promise<void>): Promise<void>;
  /** Processor time of all its processes so far, in milliseconds. */
  processorMs(): number;
  stop(): Promise<void>;
}

function leaderIn(data: string): number {
  return Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n", 1)[0]);
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter((one) => one !== "")
    .map(Number);
}

/** Nobody: PostgreSQL refuses to run as root. */
const NOBODY = 65534;
const SOCKET_PORT = 5432;

/**
 * Start a server of our own in a new directory, on a socket in it and nowhere else.
 * @param options.durable It syncs what it commits; otherwise it is quicker.
 * @param options.under A command, such as a tracer, that runs it.
 */
export async function startPostgres(
  options: { readonly durable?: boolean; readonly under?: readonly string[] } = {},
): Promise<PostgresServer> {
  const programs = postgresPrograms();
  if (programs === undefined) throw new Error(POSTGRES_MISSING);
  const directory = mkdtempSync(join(tmpdir(), "upkeep-postgres-"));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(directory, NOBODY, NOBODY);
  const steppedDown = (program: string, args: readonly string[]): [string, string[]] => {
    const path = join(programs, program);
    if (!isRoot) return [path, [...args]];
    return ["setpriv", [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", path, ...args]];
  };
  const data = join(directory, "data");
  // Sorted by the rules of a language, as a database of users may be: our order must not depend on it.
  const language = ["--locale-provider=icu", "--icu-locale=en", "--locale=C.UTF-8", "-E", "UTF8"];
  execFileSync(...steppedDown("initdb", ["-D", data, "-U", "upkeep", "-A", "trust", "--no-sync", ...language]), {
    cwd: directory,
    stdio: "pipe",
  });
  const settings = {
    listen_addresses: "",
    unix_socket_directories: directory,
    max_connections: 200,
    ...(options.durable === true ? {} : { fsync: "off", full_page_writes: "off" }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const start = async (): Promise<Program> => {
    const [command, args] = steppedDown("postgres", ["-D", data, ...flags]);
    const [first = command, ...rest] = [...(options.under ?? []), command, ...args];
    const program = startProgram(first, options.under === undefined ? args : rest, { directory });
    await until(
      "PostgreSQL takes connections",
      () => /ready to accept connections/.test(program.output()) || undefined,
      { explain: program.output },
    );
    return program;
  };
  const end = async (signal: "SIGINT" | "SIGQUIT"): Promise<void> => {
    process.kill(leaderIn(data), signal);
    await program.ended;
  };
  let program = await start();
  return {
    url: `postgres://upkeep@${encodeURIComponent(directory)}:${SOCKET_PORT}/postgres`,
    crash: async (between) => {
      await end("SIGQUIT");
      await between?.();
      program = await start();
    },
    freeze: async (between) => {
      const leader = leaderIn(data);
      // Stopped before its children are listed, it starts no more of them.
      process.kill(leader, "SIGSTOP");
      const processes = [...childrenOf(leader), leader];
      for (const one of processes) process.kill(one, "SIGSTOP");
      try {
        await between();
      } finally {
        for (const one of processes) process.kill(one, "SIGCONT");
      }
    },
    processorMs: () => {
      const leader = leaderIn(data);
      const living = childrenOf(leader).reduce((sum, child) => sum + processorMsOf(child), 0);
      return living + processorMsOf(leader, { endedChildren: true });
    },
    stop: async () => {
      await end("SIGINT");
      rmSync(directory, { recursive: true });
    },
  };
}
