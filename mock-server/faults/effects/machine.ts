import type { LeftBehind, UpdateMoment } from "../language/moments.ts";

/** How a program misbehaves: an update module, or a state script. */
export const PROGRAM_TROUBLES = ["fails", "hangs", "floods", "fills", "retries"] as const;
export type ProgramTrouble = (typeof PROGRAM_TROUBLES)[number];

/** What a fault does to a run of an update module (in one of its calls) or of the state scripts of a set. */
export interface ProgramEffect {
  readonly program: "module" | "script";
  /** The module's call, or the set of scripts. */
  readonly of: string;
  readonly trouble: ProgramTrouble;
}

/** True if a program is hit. @param name The module's call, or the script's file name. */
export function hitsProgram({ program, of }: ProgramEffect, which: ProgramEffect["program"], name: string): boolean {
  return program === which && (program === "module" ? name === of : name.startsWith(`${of}_`));
}

/** What a fault does to writes on the device's disk. */
export interface DiskEffect {
  readonly code: "ENOSPC" | "EROFS" | "EIO" | "EACCES";
  readonly text: string;
  /** Calls of the door (`shared/system`) that fail. */
  readonly calls: ReadonlySet<string>;
}

/** What a fault does to what the device has of an artifact, after each read of it. */
export interface SeedEffect {
  /** Length of the piece that is written. */
  readonly pieceBytes: number;
}

/** Calls that need space. */
export const WRITES: ReadonlySet<string> = new Set(["file.write", "files.makeDirectory", "files.makeFifos"]);
/** Calls that change the disk. */
export const CHANGES: ReadonlySet<string> = new Set([
  ...WRITES,
  "files.rename",
  "files.remove",
  "files.setPermissions",
]);

/** What a fault does to the power of the device, or to the agent's process, at a moment of an update. */
export interface Interruption {
  readonly kind: "interruption";
  readonly moment: UpdateMoment;
  /** `kill`: SIGKILL for the agent; the machine stays up. */
  readonly does: "cut" | "reset" | "kill";
  /** How long the power is away, without the time that booting takes. */
  readonly offMs: number;
  /** What is on the disk of the writes that were not synced. */
  readonly leaves: LeftBehind | undefined;
}

/** What a fault does to the machine's power: at a moment, or by how it behaves when power goes or a reboot is asked for. */
export type PowerEffect = Interruption | { readonly kind: "torn-writes" } | { readonly kind: "ignored-reboot" };

/** What a fault does to the boot of new software. */
export interface BootEffect {
  /** How often it does not boot. */
  readonly failures: number;
}

/** What a fault does to the device's wall clock. */
export interface ClockEffect {
  /** Less than 0: the clock is behind. */
  readonly aheadMs: number;
}
