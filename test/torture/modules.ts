import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plant } from "./plants.ts";

const SHIPPED_SINGLE_FILE = join(import.meta.dirname, "../../agent/modules/shipped/single-file");

/** Update modules by payload type. */
export const MODULES = ["slots", "single-file", "keeper"] as const;
export type ModuleName = (typeof MODULES)[number];

/**
 * DEVICE: directory of the device's software, on a disk that no fault touches. DATA: the small disk.
 * Each call is written down, and fails if the artifact's meta-data says so.
 */
const BEGIN = `#!/bin/sh
call=$1
tree=$2
name=$(cat "$tree/header/artifact_name")
echo "$name $call begin" >> "$DEVICE/calls"
write() { printf '%s\\n' "$2" > "$1.new" && mv "$1.new" "$1"; }
`;

const END = `
rc=$?
if grep -q "\\"fail\\":\\"$call\\"" "$tree/header/meta-data"; then rc=1; fi
echo "$name $call $rc" >> "$DEVICE/calls"
exit $rc
`;

/** Two slots and a boot loader that falls back to the active one, unless it was committed. */
const SLOTS = `
other() { if [ "$(cat "$DEVICE/running")" = a ]; then echo b; else echo a; fi; }
act() {
  case $call in
    Download)
      slot="$DEVICE/slot-$(other)"
      stream=$(cat "$tree/stream-next")
      cat "$stream" > "$slot.new" && mv "$slot.new" "$slot" && [ -z "$(cat "$tree/stream-next")" ] ;;
    ArtifactInstall)
      if [ ! -e "$tree/tmp/previous" ]; then
        cp "$DEVICE/active" "$tree/tmp/previous.part" && sync "$tree/tmp/previous.part" &&
          mv "$tree/tmp/previous.part" "$tree/tmp/previous" && sync "$tree/tmp" || return 1
      fi
      write "$DEVICE/next" "$(other)" ;;
    NeedsArtifactReboot)
      if [ -e "$DEVICE/next" ] || ! cmp -s "$DEVICE/running" "$DEVICE/active"; then echo Automatic; fi ;;
    ArtifactVerifyReboot) cmp -s "$DEVICE/running" "$DEVICE/tried" ;;
    ArtifactCommit) write "$DEVICE/active" "$(cat "$DEVICE/running")" && rm -f "$DEVICE/tried" ;;
    SupportsRollback) echo Yes ;;
    ArtifactRollback)
      if [ -e "$tree/tmp/previous" ]; then write "$DEVICE/active" "$(cat "$tree/tmp/previous")"; fi
      rm -f "$DEVICE/next" "$DEVICE/tried" ;;
    ArtifactVerifyRollbackReboot) cmp -s "$DEVICE/running" "$DEVICE/active" ;;
  esac
}
act
`;

/** Keeps one file. Told to (FILL), it fills the small disk in ArtifactInstall, and empties it in Cleanup. */
const KEEPER = `
fill() {
  case $(cat "$tree/header/meta-data") in
    *'"fill":"blocks"'*) for size in 64k 1k 1; do dd if=/dev/zero of="$DATA/ballast/module-$size" bs=$size 2>/dev/null; done ;;
    *'"fill":"inodes"'*) i=0; while (: > "$DATA/ballast/module-$i") 2>/dev/null; do i=$((i + 1)); done ;;
  esac
}
act() {
  case $call in
    ArtifactInstall)
      if [ ! -e "$tree/tmp/before" ]; then
        cp "$DEVICE/keeper" "$tree/tmp/before.part" && sync "$tree/tmp/before.part" &&
          mv "$tree/tmp/before.part" "$tree/tmp/before" && sync "$tree/tmp" || return 1
      fi
      cp "$tree/files/software" "$DEVICE/keeper.new" && mv "$DEVICE/keeper.new" "$DEVICE/keeper" || return 1
      fill; return 0 ;;
    ArtifactRollback)
      if [ -e "$tree/tmp/before" ]; then cp "$tree/tmp/before" "$DEVICE/keeper.new" && mv "$DEVICE/keeper.new" "$DEVICE/keeper"; fi ;;
    SupportsRollback) echo Yes ;;
    Cleanup) rm -f "$DATA"/ballast/module-* && sync -f "$DATA" ;;
  esac
}
act
`;

/** The module that is shipped, in a wrapper that writes its calls down. */
const SINGLE_FILE = `
sh "$DEVICE/single-file-module" "$call" "$tree"
`;

/** Mistakes: a call that is not carried out. */
const LEFT_OUT: Partial<Record<Plant, string>> = { "no cleanup": "Cleanup", "idle module": "ArtifactInstall" };

export function moduleScripts(plant: Plant | undefined): Record<ModuleName, string> {
  const leftOut = plant === undefined ? undefined : LEFT_OUT[plant];
  const [first = "", ...rest] = BEGIN.split("\n");
  const mistake = leftOut === undefined ? "" : `[ "$1" = ${leftOut} ] && exit 0\n`;
  const begin = `${first}\n${mistake}${rest.join("\n")}`;
  return {
    slots: begin + SLOTS + END,
    keeper: begin + KEEPER + END,
    "single-file": begin + SINGLE_FILE + END,
  };
}

export const shippedSingleFile = (): string => readFileSync(SHIPPED_SINGLE_FILE, "utf8");

/** A state script that writes down that it ran, and fails if it is told to. */
export function stateScript(artifactName: string, set: string, fails: boolean): string {
  return `#!/bin/sh\necho "${artifactName} ${set} ${fails ? 1 : 0}" >> "$DEVICE/calls"\nexit ${fails ? 1 : 0}\n`;
}
