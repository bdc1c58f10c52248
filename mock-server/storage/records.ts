import type { Kysely } from "kysely";
import { ArtifactRecords } from "./artifacts.ts";
import { AttemptRecords } from "./attempts.ts";
import { AuthSetRecords } from "./auth-sets.ts";
import { ConfigurationRecords } from "./configurations.ts";
import { CounterRecords } from "./counters.ts";
import { DeploymentRecords } from "./deployments.ts";
import { DeviceDeploymentRecords } from "./device-deployments.ts";
import { DeviceRecords } from "./devices.ts";
import { EndingRecords } from "./endings.ts";
import { EventRecords } from "./events.ts";
import { HearingRecords } from "./hearing.ts";
import { InventoryRecords } from "./inventory.ts";
import { LogRecords } from "./logs.ts";
import { MovingRecords } from "./moving.ts";
import { PhaseRecords } from "./phases.ts";
import { ReleaseWordRecords } from "./release-words.ts";
import { ReleaseRecords } from "./releases.ts";
import { SavedFilterRecords } from "./saved-filters.ts";
import type { Schema } from "./schema.ts";
import { SecretRecords } from "./secrets.ts";
import { SessionRecords } from "./sessions.ts";
import { SettingsRecords } from "./settings.ts";
import { TableRecords } from "./snapshots.ts";
import { UserRecords } from "./users.ts";

/** All records, as one transaction sees them. */
export class Records {
  readonly artifacts: ArtifactRecords;
  readonly attempts: AttemptRecords;
  readonly authSets: AuthSetRecords;
  readonly configurations: ConfigurationRecords;
  readonly counters: CounterRecords;
  readonly deployments: DeploymentRecords;
  readonly deviceDeployments: DeviceDeploymentRecords;
  readonly devices: DeviceRecords;
  readonly endings: EndingRecords;
  readonly events: EventRecords;
  readonly hearing: HearingRecords;
  readonly inventory: InventoryRecords;
  readonly logs: LogRecords;
  readonly moving: MovingRecords;
  readonly phases: PhaseRecords;
  readonly releaseWords: ReleaseWordRecords;
  readonly releases: ReleaseRecords;
  readonly savedFilters: SavedFilterRecords;
  readonly secrets: SecretRecords;
  readonly sessions: SessionRecords;
  readonly settings: SettingsRecords;
  readonly tables: TableRecords;
  readonly users: UserRecords;

  constructor(db: Kysely<Schema>) {
    this.artifacts = new ArtifactRecords(db);
    this.attempts = new AttemptRecords(db);
    this.authSets = new AuthSetRecords(db);
    this.configurations = new ConfigurationRecords(db);
    this.counters = new CounterRecords(db);
    this.deployments = new DeploymentRecords(db);
    this.deviceDeployments = new DeviceDeploymentRecords(db);
    this.devices = new DeviceRecords(db);
    this.endings = new EndingRecords(db);
    this.events = new EventRecords(db);
    this.hearing = new HearingRecords(db);
    this.inventory = new InventoryRecords(db);
    this.logs = new LogRecords(db);
    this.moving = new MovingRecords(db);
    this.phases = new PhaseRecords(db);
    this.releaseWords = new ReleaseWordRecords(db);
    this.releases = new ReleaseRecords(db);
    this.savedFilters = new SavedFilterRecords(db);
    this.secrets = new SecretRecords(db);
    this.sessions = new SessionRecords(db);
    this.settings = new SettingsRecords(db);
    this.tables = new TableRecords(db);
    this.users = new UserRecords(db);
  }
}
