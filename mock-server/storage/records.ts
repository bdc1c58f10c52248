import type { Kysely } from "kysely";
import { AfterCommit } from "./after-commit.ts";
import { ArtifactIndexRecords } from "./artifact-indexes.ts";
import { ArtifactRecords } from "./artifacts.ts";
import { AttemptRecords } from "./attempts.ts";
import { AttributeIndexRecords } from "./attribute-index.ts";
import { AuthSetRecords } from "./auth-sets.ts";
import { ConfigurationRecords } from "./configurations.ts";
import { CounterRecords } from "./counters.ts";
import { DeploymentRecords } from "./deployments.ts";
import { DeviceDeploymentLists } from "./device-deployment-lists.ts";
import { DeviceDeploymentRecords } from "./device-deployments.ts";
import { DeviceDownloadRecords } from "./device-downloads.ts";
import { DeviceTextRecords } from "./device-texts.ts";
import { DeviceRecords } from "./devices.ts";
import { EventRecords } from "./events.ts";
import { FailureRecords } from "./failures.ts";
import { InventoryRecords } from "./inventory.ts";
import { LogRecords } from "./logs.ts";
import { MovingRecords } from "./moving.ts";
import { PendingEndRecords } from "./pending-ends.ts";
import { PhaseRecords } from "./phases.ts";
import { PlaceRecords } from "./places.ts";
import { PreparationRecords } from "./preparations.ts";
import { QueueRecords } from "./queues.ts";
import { ReleaseMetadataRecords } from "./release-metadata.ts";
import { ReleaseRecords } from "./releases.ts";
import { SavedFilterRecords } from "./saved-filters.ts";
import type { Schema } from "./schema.ts";
import { SecretRecords } from "./secrets.ts";
import { SequenceRecords } from "./sequences.ts";
import { SessionRecords } from "./sessions.ts";
import { SettingsRecords } from "./settings-records.ts";
import { SilenceRecords } from "./silence.ts";
import { TableRecords } from "./snapshots.ts";
import { StateRecords } from "./states.ts";
import { UptimeRecords } from "./uptime.ts";
import { UserRecords } from "./users.ts";

/**
 * All records, in the state that one transaction sees. Each is made when it is used, and holds nothing but the database:
 * a transaction uses few of them.
 */
export class Records {
  readonly afterCommit = new AfterCommit();
  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  get artifactIndexes(): ArtifactIndexRecords {
    return new ArtifactIndexRecords(this.#db);
  }

  get artifacts(): ArtifactRecords {
    return new ArtifactRecords(this.#db);
  }

  get attempts(): AttemptRecords {
    return new AttemptRecords(this.#db);
  }

  get attributeIndex(): AttributeIndexRecords {
    return new AttributeIndexRecords(this.#db);
  }

  get deviceTexts(): DeviceTextRecords {
    return new DeviceTextRecords(this.#db);
  }

  get authSets(): AuthSetRecords {
    return new AuthSetRecords(this.#db);
  }

  get configurations(): ConfigurationRecords {
    return new ConfigurationRecords(this.#db);
  }

  get counters(): CounterRecords {
    return new CounterRecords(this.#db);
  }

  get deployments(): DeploymentRecords {
    return new DeploymentRecords(this.#db);
  }

  get deviceDeploymentLists(): DeviceDeploymentLists {
    return new DeviceDeploymentLists(this.#db);
  }

  get deviceDeployments(): DeviceDeploymentRecords {
    return new DeviceDeploymentRecords(this.#db);
  }

  get deviceDownloads(): DeviceDownloadRecords {
    return new DeviceDownloadRecords(this.#db);
  }

  get devices(): DeviceRecords {
    return new DeviceRecords(this.#db);
  }

  get pendingEnds(): PendingEndRecords {
    return new PendingEndRecords(this.#db);
  }

  get events(): EventRecords {
    return new EventRecords(this.#db);
  }

  get uptime(): UptimeRecords {
    return new UptimeRecords(this.#db);
  }

  get silence(): SilenceRecords {
    return new SilenceRecords(this.#db);
  }

  get failures(): FailureRecords {
    return new FailureRecords(this.#db);
  }

  get inventory(): InventoryRecords {
    return new InventoryRecords(this.#db);
  }

  get logs(): LogRecords {
    return new LogRecords(this.#db);
  }

  get phases(): PhaseRecords {
    return new PhaseRecords(this.#db);
  }

  get places(): PlaceRecords {
    return new PlaceRecords(this.#db);
  }

  get preparations(): PreparationRecords {
    return new PreparationRecords(this.#db);
  }

  get queues(): QueueRecords {
    return new QueueRecords(this.#db);
  }

  get releaseMetadata(): ReleaseMetadataRecords {
    return new ReleaseMetadataRecords(this.#db);
  }

  get releases(): ReleaseRecords {
    return new ReleaseRecords(this.#db);
  }

  get savedFilters(): SavedFilterRecords {
    return new SavedFilterRecords(this.#db);
  }

  get secrets(): SecretRecords {
    return new SecretRecords(this.#db);
  }

  get sequences(): SequenceRecords {
    return new SequenceRecords(this.#db);
  }

  get sessions(): SessionRecords {
    return new SessionRecords(this.#db);
  }

  get settings(): SettingsRecords {
    return new SettingsRecords(this.#db);
  }

  get states(): StateRecords {
    return new StateRecords(this.#db);
  }

  get users(): UserRecords {
    return new UserRecords(this.#db);
  }

  get moving(): MovingRecords {
    return new MovingRecords(this.#db);
  }

  get tables(): TableRecords {
    return new TableRecords(this.#db);
  }

  /** Adds what was counted to its rows, and numbers the events that have no number yet. */
  async fold(): Promise<void> {
    await this.counters.fold();
    await this.events.number();
  }
}
