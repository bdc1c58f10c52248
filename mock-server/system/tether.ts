import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Child, type ChildSpec, startChild } from "./children.ts";
import { throughDoor } from "./faults.ts";

/** The environment variable by which the guard knows what was started; its value is the directory. */
const MARK = "UPKEEP_TETHER";

/**
 * Makes the directory and prints its path. When its standard input ends, it kills every process that has the mark in its
 * environment and removes the directory. Being a process of its own, it also does so after a SIGKILL of this program.
 */
const GUARD = `
trap '' HUP INT PIPE TERM
directory=$(mktemp -d "\${TMPDIR:-/tmp}/$1-XXXXXX") || exit 1
printf '%s\\n' "$directory"
cat >/dev/null
marked() {
  grep -lsF "${MARK}=$directory" /proc/[0-9]*/environ | sed 's|^/proc/||; s|/environ$||'
}
tries=0
while pids=$(marked) && [ -n "$pids" ] && [ $tries -lt 100 ]; do
  kill -KILL $pids 2>/dev/null
  tries=$((tries + 1))
  sleep 0.05
done
rm -rf "$directory"
`;

/** A directory and programs that do not outlive this program, however it ends. Needs /proc. */
export interface Tether {
  /** New and empty, below TMPDIR or /tmp. */
  readonly directory: string;
  /** @throws SystemError if it cannot be started. */
  start(spec: ChildSpec): Promise<Child>;
  /** Kills the programs with all that they have started, and removes the directory. */
  cut(): Promise<void>;
}

/**
 * @param prefix Of the directory's name.
 * @throws SystemError if the directory cannot be made.
 */
export async function openTether(prefix: string): Promise<Tether> {
  const guard = spawn("/bin/sh", ["-c", GUARD, "sh", prefix], {
    stdio: ["pipe", "pipe", "inherit"],
    // Ctrl-C in a terminal goes to the processes of one group.
    detached: true,
  });
  const ended = once(guard, "exit");
  ended.catch(() => undefined);
  const output = createInterface(guard.stdout);
  const [directory] = (await throughDoor(Promise.race([once(output, "line"), ended.then(() => [])]))) as [string?];
  if (directory === undefined) throw new Error("no temporary directory could be made");
  return {
    directory,
    start: (spec) => startChild({ ...spec, environment: { ...spec.environment, [MARK]: directory } }),
    cut: async () => {
      guard.stdin.end();
      await ended;
    },
  };
}
