import type { Logger } from "@upkeep/shared/logging";
import type { DeviceProvides, InventoryAttribute } from "@upkeep/shared/protocol";
import type { DaemonParts, DaemonServer } from "../daemon/daemon.ts";
import type { MaintenanceWindows } from "../daemon/maintenance-windows.ts";
import type { Notifier } from "../daemon/notify.ts";
import type { PendingEngine } from "../daemon/observed.ts";
import type { TaskSettings } from "../daemon/schedule.ts";
import type { Board } from "../daemon/status.ts";
import type { DeviceKey } from "../device/keys.ts";
import type { DeviceClient } from "../server/client.ts";
import type { DownloadSettings } from "../server/download.ts";
import type { Servers } from "../server/failover.ts";
import type { Http } from "../server/http.ts";
import type { DeploymentServer, OpenArtifact, UpdateSettings } from "../update/index.ts";
import type { Store } from "../update/store.ts";

/** The parts of an agent, by name. */
export interface AgentParts {
  /** Gives the data directory free again. */
  readonly lock: () => Promise<void>;
  readonly store: Store;
  readonly deviceType: () => Promise<string>;
  readonly bootstrapArtifact: () => Promise<void>;
  readonly statusBoard: Board;
  readonly key: DeviceKey | (() => Promise<DeviceKey>);
  readonly identity: (signal?: AbortSignal) => Promise<string>;
  readonly http: Http;
  readonly downloadSettings: DownloadSettings;
  readonly servers: Servers;
  readonly client: DeviceClient;
  readonly server: DaemonServer & DeploymentServer;
  readonly updateSettings: UpdateSettings;
  readonly openArtifact: OpenArtifact;
  readonly engine: PendingEngine;
  readonly schedules: Readonly<Record<"polls" | "inventories", TaskSettings>>;
  readonly firstPollDelayMs: number;
  readonly windows: MaintenanceWindows;
  readonly provides: () => Promise<DeviceProvides>;
  readonly inventory: (signal: AbortSignal) => Promise<InventoryAttribute[]>;
  readonly notifier: Notifier;
  readonly stateScripts: NonNullable<DaemonParts["scripts"]>;
  readonly version: string;
}

export type PartName = keyof AgentParts;

/** The part of that name, which was made before. @throws TypeError if it was not. */
export type MadePart = <Name extends PartName>(name: Name) => AgentParts[Name];

/**
 * Replaces a part.
 * @param make Makes the standard part, for a replacement that wraps or changes it.
 */
export type Replacement<Part> = (make: () => Promise<Part>, made: MadePart) => Part | Promise<Part>;
export type Replacements = { readonly [Name in PartName]?: Replacement<AgentParts[Name]> };

/** What a part is: its class, its text, or its type. */
function describe(part: unknown): string {
  if (typeof part === "object" && part !== null) return part.constructor.name;
  return typeof part === "string" ? part : typeof part;
}

/** Makes the parts of one agent, with the replacements that its program asks for, and lists them. */
export class PartMaker {
  readonly #replacements: Replacements;
  #made: [name: PartName, part: unknown][] = [];

  constructor(replacements: Replacements = {}) {
    this.#replacements = replacements;
  }

  async make<Name extends PartName>(
    name: Name,
    standard: () => AgentParts[Name] | Promise<AgentParts[Name]>,
  ): Promise<AgentParts[Name]> {
    const replacement: Replacement<AgentParts[Name]> | undefined = this.#replacements[name];
    const part = await (replacement === undefined
      ? standard()
      : replacement.call(
          this.#replacements,
          async () => await standard(),
          (earlier) => this.#find(earlier),
        ));
    this.#made.push([name, part]);
    return part;
  }

  /** What each part is that was made since the last call. Forgets them: a fleet would hold this list for each device. */
  list(): Readonly<Partial<Record<PartName, string>>> {
    const made = this.#made;
    this.#made = [];
    return Object.fromEntries(
      made.map(([name, part]) => [name, `${describe(part)}${name in this.#replacements ? " (replaced)" : ""}`]),
    );
  }

  #find<Name extends PartName>(name: Name): AgentParts[Name] {
    const found = this.#made.find(([one]) => one === name);
    if (found === undefined) throw new TypeError(`the part ${name} is composed later`);
    return found[1] as AgentParts[Name];
  }
}

/** Logs what this agent is made of, so that two agents can be compared. */
export function logParts({ log, parts }: { readonly log: Logger; readonly parts: PartMaker }): void {
  log.debug("parts", { parts: parts.list() });
}
