import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type ClientName, COMMANDS } from "./clients.ts";
import { makeDevice } from "./material.ts";
import type { Command } from "./measure.ts";

function millisecondsOf({ program, args }: Command): number {
  const fromMs = performance.now();
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
  return performance.now() - fromMs;
}

/** Milliseconds from the start of a program to its end, the best of so many starts of each, interleaved. */
export function measureStartUp(clients: readonly ClientName[], folder: string, starts: number): Record<string, number> {
  const device = makeDevice(join(folder, "startup"));
  const commands: Record<string, Command> = {
    "node -e 0": { program: process.execPath, args: ["-e", "0"] },
    // What starting the peer in its mount namespace costs, before it starts.
    "namespace alone": { ...COMMANDS.mender(device, []), args: namespaceAlone(device) },
  };
  if (!clients.includes("mender")) delete commands["namespace alone"];
  for (const client of clients)
    for (const command of ["--version", "show-artifact"])
      commands[`${client} ${command}`] = COMMANDS[client](device, [command]);
  const best: Record<string, number> = {};
  for (let count = 0; count < starts; count++)
    for (const [name, command] of Object.entries(commands))
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, millisecondsOf(command));
  return best;
}

function namespaceAlone(device: ReturnType<typeof makeDevice>): readonly string[] {
  const { args } = COMMANDS.mender(device, []);
  return [...args.slice(0, args.indexOf("mender")), "true"];
}
