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

/** All records, in the state that one transaction sees. */
export class Records {
  readonly afterCommit = new AfterCommit();
  readonly artifactIndexes: ArtifactIndexRecords;
  readonly artifacts: ArtifactRecords;
  readonly attempts: AttemptRecords;
  readonly attributeIndex: AttributeIndexRecords;
  readonly deviceTexts: DeviceTextRecords;
  readonly authSets: AuthSetRecords;
  readonly configurations: ConfigurationRecords;
  readonly counters: CounterRecords;
  readonly deployments: DeploymentRecords;
  readonly deviceDeploymentLists: DeviceDeploymentLists;
  readonly deviceDeployments: DeviceDeploymentRecords;
  readonly deviceDownloads: DeviceDownloadRecords;
  readonly devices: DeviceRecords;
  readonly pendingEnds: PendingEndRecords;
  readonly events: EventRecords;
  readonly uptime: UptimeRecords;
  readonly silence: SilenceRecords;
  readonly failures: FailureRecords;
  readonly inventory: InventoryRecords;
  readonly logs: LogRecords;
  readonly phases: PhaseRecords;
  readonly places: PlaceRecords;
  readonly preparations: PreparationRecords;
  readonly queues: QueueRecords;
  readonly releaseMetadata: ReleaseMetadataRecords;
  readonly releases: ReleaseRecords;
  readonly savedFilters: SavedFilterRecords;
  readonly secrets: SecretRecords;
  readonly sequences: SequenceRecords;
  readonly sessions: SessionRecords;
  readonly settings: SettingsRecords;
  readonly states: StateRecords;
  readonly users: UserRecords;

  readonly #db: Kysely<Schema>;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
    this.artifactIndexes = new ArtifactIndexRecords(db);
    this.artifacts = new ArtifactRecords(db);
    this.attempts = new AttemptRecords(db);
    this.attributeIndex = new AttributeIndexRecords(db);
    this.deviceTexts = new DeviceTextRecords(db);
    this.authSets = new AuthSetRecords(db);
    this.configurations = new ConfigurationRecords(db);
    this.counters = new CounterRecords(db);
    this.deployments = new DeploymentRecords(db);
    this.deviceDeploymentLists = new DeviceDeploymentLists(db);
    this.deviceDeployments = new DeviceDeploymentRecords(db);
    this.deviceDownloads = new DeviceDownloadRecords(db);
    this.devices = new DeviceRecords(db);
    this.pendingEnds = new PendingEndRecords(db);
    this.events = new EventRecords(db);
    this.uptime = new UptimeRecords(db);
    this.silence = new SilenceRecords(db);
    this.failures = new FailureRecords(db);
    this.inventory = new InventoryRecords(db);
    this.logs = new LogRecords(db);
    this.phases = new PhaseRecords(db);
    this.places = new PlaceRecords(db);
    this.preparations = new PreparationRecords(db);
    this.queues = new QueueRecords(db);
    this.releaseMetadata = new ReleaseMetadataRecords(db);
    this.releases = new ReleaseRecords(db);
    this.savedFilters = new SavedFilterRecords(db);
    this.secrets = new SecretRecords(db);
    this.sequences = new SequenceRecords(db);
    this.sessions = new SessionRecords(db);
    this.settings = new SettingsRecords(db);
    this.states = new StateRecords(db);
    this.users = new UserRecords(db);
  }

  // These two cost more to make than all the others, and devices do not use them.

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
