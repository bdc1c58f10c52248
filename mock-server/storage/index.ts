export type { ArtifactIndex, NoIndex } from "./artifact-indexes.ts";
export type { ArtifactFilter, ArtifactRecord, ArtifactSort, PayloadFileRecord, PayloadRecord } from "./artifacts.ts";
export type { AttemptRecord } from "./attempts.ts";
export type { IndexedName, Probe } from "./attribute-index.ts";
export type { KeyRange } from "./attribute-keys.ts";
export type { AuthSetRecord, TokenClaims, TokenStatus } from "./auth-sets.ts";
export { type Claim, type Engine, identityOfRecords, readClaim, writeClaim } from "./claim.ts";
export type { ConfigurationRecord } from "./configurations.ts";
export type { Statistics } from "./counters.ts";
export { checkPermissions, DataDirectory, directoryFault, mustFit } from "./data-directory.ts";
export { DataDirectoryError } from "./data-directory-error.ts";
export type { DeploymentFilter, DeploymentRecord } from "./deployments.ts";
export type {
  DeviceDeploymentOrder,
  DeviceDeploymentSearch,
  ListedDeviceDeployment,
} from "./device-deployment-lists.ts";
export type { DeviceDeploymentRecord, ReportedDeviceDeployment, TargetsOf } from "./device-deployments.ts";
export type { DeviceDownload, DownloadSums } from "./device-downloads.ts";
export type { DeviceNarrowing, DeviceRecord } from "./devices.ts";
export type { EventRecord } from "./events.ts";
export { explained, oneLine } from "./explained.ts";
export { StorageError, type StorageFault, type StorageFaultKind, storageFaultOf } from "./faults.ts";
export type { AttributeRecord } from "./inventory.ts";
export { copyAllRecords, MovingError, type TableSummary } from "./moving.ts";
export { offsetOf, type Page, type Paging, type SortOrder } from "./paging.ts";
export { OPEN_STATUSES } from "./pending-ends.ts";
export type { PhaseRecord } from "./phases.ts";
export type { PlaceLimits } from "./places.ts";
export type { PreparationRecord } from "./preparations.ts";
export { createPrivateFile, makePrivate } from "./private-files.ts";
export type { Records } from "./records.ts";
export type { ReleaseFilter, ReleaseRecord, ReleaseSort } from "./releases.ts";
export type { SavedFilterRecord } from "./saved-filters.ts";
export {
  AUTH_STATUSES,
  type AuthStatus,
  DEVICE_STATUSES,
  DEVICE_TIERS,
  type DeploymentKind,
  type DeviceStatus,
  type DeviceTier,
} from "./schema.ts";
export type { SessionRecord } from "./sessions.ts";
export { type Snapshot, Snapshots } from "./snapshots.ts";
export { DATABASE_FILE, type StorageLocation } from "./sqlite.ts";
export type { StateRecord } from "./states.ts";
export { Storage } from "./storage.ts";
export type { TextFilter } from "./text.ts";
export { UnusableDataError } from "./unusable-data.ts";
export type { UserRecord } from "./users.ts";
export { WriteCheck } from "./write-check.ts";
