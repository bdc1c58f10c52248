import type { SeedEffect } from "../../faults/effects/machine.ts";
import type { SeededRandom } from "../../system/seeded-random.ts";
import { changesOf, type DoorCall, type SimulatedMachine } from "../simulation/index.ts";
import { CURRENT, SLOTS } from "./factory.ts";

/**
 * True if the agent has read what the device has at first: the file, or the slot that was booted. What an update writes
 * is left alone: no program can keep a partition right that others write to.
 */
export function readsSeed({ name, process, subject }: DoorCall, { slot }: Pick<SimulatedMachine, "slot">): boolean {
  return name === "file.read" && process === "main" && subject === (slot === undefined ? CURRENT : SLOTS[slot.slot]);
}

/** Writes to a seed, durably, as a journal would have it. */
export function changeSeed(
  { disk }: Pick<SimulatedMachine, "disk">,
  path: string,
  { pieceBytes }: SeedEffect,
  chance: Pick<SeededRandom, "fraction">,
): void {
  const node = disk.find(path);
  if (node?.kind !== "file" && node?.kind !== "device") return;
  for (const { offset, bytes } of changesOf(node.content.bytes, pieceBytes, chance.fraction())) {
    disk.write(node, offset, bytes, path);
  }
  disk.sync(node);
}
