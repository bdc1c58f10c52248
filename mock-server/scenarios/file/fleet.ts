import { recordOf } from "@upkeep/shared/protocol";
import * as z from "zod";
import { ScriptName } from "../../faults/language/names.ts";
import { Count, CountFromZero, Duration, Name, Size, YesNo } from "../../faults/language/quantities.ts";
import { Config, Issuer } from "./settings.ts";

/** How the update module on a device behaves. */
export const ModuleManners = z
  .strictObject({
    kind: z.enum(["files", "slots"], { error: "files or slots" }).default("files").meta({
      description: "files: replaces a file; slots: writes the other root file system, in the manner of rootfs-image",
    }),
    stores: YesNo.default(true).meta({
      description: "The payload is stored before it is handed to the module; no: the module takes it as a stream",
    }),
    reboot: z
      .enum(["no", "yes", "automatic"], { error: "no, yes or automatic" })
      .default("no")
      .meta({ description: "What it answers to NeedsArtifactReboot" }),
    rollback: YesNo.default(true).meta({ description: "What it answers to SupportsRollback" }),
    takes: Duration.default(5000).meta({ description: "How long installing takes" }),
    missing: YesNo.default(false).meta({ description: "There is no such module on the device" }),
  })
  .meta({ description: "How the update module on these devices behaves" });
export type ModuleManners = z.output<typeof ModuleManners>;

const InventoryValue = z.union([z.string(), z.number(), z.array(z.string())], {
  error: "a text, a number or a list of texts",
});

const SHARE_HINT = "a share from 0 to 0.5";

/** Devices of one kind. */
export const Devices = z.strictObject({
  name: Name.meta({ description: "d: the devices are d1, d2, …; without a count the device is d" }),
  count: Count.max(1000, { error: "a whole number from 1 to 1000" }).optional(),
  type: z
    .string({ error: "a device type" })
    .min(1, { error: "a device type" })
    .default("board")
    .meta({ description: "Device type" }),
  provides: z
    ._default(recordOf(z.string({ error: "a text (in quotes if it looks like a number)" })), {})
    .meta({ description: "What is installed; artifact_name is v1 if nothing is said" }),
  inventory: z._default(recordOf(InventoryValue), {}),
  poll: Duration.default(1_800_000).meta({ description: "From one question for a deployment to the next" }),
  inventory_poll: Duration.default(28_800_000).meta({ description: "From one sending of the inventory to the next" }),
  agent: z.enum(["daemon", "timer"], { error: "daemon or timer" }).default("daemon").meta({
    description:
      "timer: no daemon; `upkeep check` runs at each boot, and again when `poll` has passed since the last one; only where devices are simulated",
  }),
  modified: z
    .number({ error: SHARE_HINT })
    .min(0, { error: SHARE_HINT })
    .max(0.5, { error: SHARE_HINT })
    .default(0)
    .meta({
      description:
        "The share of what they have at first that was changed by hand, in pieces of 4 KiB; only where devices are simulated, with payloads that are alike",
    }),
  switched_on: Duration.default(0).meta({ description: "When it gets power, as a time after the start" }),
  module: ModuleManners.prefault({}),
  config: z._default(Config, {}).meta({ description: "Keys of the agent's mender.conf" }),
  scripts: z
    .record(ScriptName, CountFromZero)
    .default({})
    .meta({ description: "State scripts of the root file system (Idle, Sync, Download), each with its exit code" }),
  accept: YesNo.default(true).meta({ description: "The server accepts the device when it first asks" }),
  trusts: z.array(Issuer).optional().meta({
    description:
      "The certificate authorities that they trust: the server's certificate has to be of one of them; any if absent",
  }),
  proxy: YesNo.default(false).meta({
    description:
      "They reach the server only through an HTTP proxy, which https_proxy names; only where devices are simulated",
  }),
  verify_signatures: YesNo.default(false).meta({ description: "Only artifacts that are signed are installed" }),
  group: z.string().min(1).optional().meta({ description: "The static group that it is a member of" }),
  data_partition: z
    .strictObject({
      size: Size.optional().meta({ description: "Shared by agent and update modules; without end if absent" }),
      inodes: Count.optional().meta({ description: "How many files and directories it can hold" }),
      noexec: YesNo.optional().meta({ description: "It is mounted noexec: no program on it can be run" }),
    })
    .optional()
    .meta({ description: "The data directory is a file system of its own; only where devices are simulated" }),
  boot_limit: Count.default(1).meta({ description: "Boots of a new slot that may fail before the old one is taken" }),
});
export type Devices = z.output<typeof Devices>;

/** Names of the devices of a row: `d`, or `d1`, `d2`, … */
export function deviceNames({ name, count }: Pick<Devices, "name" | "count">): string[] {
  return count === undefined ? [name] : Array.from({ length: count }, (_, index) => `${name}${index + 1}`);
}
