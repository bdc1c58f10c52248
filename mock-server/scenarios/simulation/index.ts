/**
 * The simulated door: everything that the agent and the server may ask of a machine (`shared/system`), in
 * virtual time and decided by one seed.
 */

export { SeededRandom } from "../../system/seeded-random.ts";
export {
  BOOT_ENVIRONMENT,
  BOOT_LOADER_TOOLS,
  type BootedSlot,
  BootLoader,
  type BootLoaderOptions,
  parseEnvironment,
} from "./boot-loader.ts";
export type { CallObserver, DoorCall } from "./calls.ts";
export { CronInstants } from "./cron.ts";
export { Disk, type MountOptions } from "./disk/disk.ts";
export { decidedFingerprint, fingerprint } from "./disk/fingerprint.ts";
export { type DiskNode, namedIn } from "./disk/nodes.ts";
export {
  afterPowerCut,
  afterShutdown,
  EVERY_WRITE_TORN,
  EVERY_WRITE_ZEROS,
  EVERYTHING_KEPT,
  EVERYTHING_LOST,
  NAMES_LOST,
  type Survival,
  survivalByChance,
  UNDECIDED,
  unsyncedChanges,
  WRITES_LOST,
  type WriteFate,
} from "./disk/survival.ts";
export type { FifoReader } from "./files.ts";
export { hoard, unhoard } from "./hoard.ts";
export {
  type Boot,
  type BootEnd,
  type MachineOptions,
  type MainProgram,
  type PowerManners,
  SimulatedMachine,
} from "./machine.ts";
export type { Peer, Weather } from "./network.ts";
export type { ProgramContext, Programs, SimulatedProgram } from "./programs.ts";
export { changesOf, type RootImage, readRootImage, rootImage } from "./root-image.ts";
export { Trace } from "./trace.ts";
export { NothingWillHappen, VirtualTime } from "./virtual-time.ts";
