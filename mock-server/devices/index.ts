export type { Attribute, DeviceInventory } from "./attributes.ts";
export { SETTABLE_STATUSES, type SettableStatus } from "./auth-status.ts";
export {
  type AuthAttempt,
  DeviceAuthentication,
  type DevicePrincipal,
} from "./authentication.ts";
export { BULK_RESULTS, type BulkResult } from "./bulk-status.ts";
export type { BulkSearch, BulkTargets } from "./bulk-targets.ts";
export { Contacts, type LastContact } from "./contacts.ts";
export { type DeviceCryptography, REAL_CRYPTOGRAPHY } from "./cryptography.ts";
export { type AuthSet, type Device, type DeviceFilter, Devices } from "./devices.ts";
export type { AttributeValue } from "./filters/match.ts";
export { countAccepted } from "./filters/scan.ts";
export type { AttributeSort } from "./filters/sorting.ts";
export {
  ATTRIBUTE_SCOPES,
  type AttributeScope,
  checkTerms,
  FILTER_OPERATORS,
  type FilterOperator,
  type FilterTerm,
  type FilterValue,
  type UncheckedTerm,
} from "./filters/terms.ts";
export { type GroupChange, Groups } from "./groups.ts";
export type { JsonValue } from "./identity.ts";
export { type AttributeCount, Inventory } from "./inventory.ts";
export { findFilter, type SavedFilter, SavedFilters } from "./saved-filters.ts";
export type { DeviceSearch } from "./search.ts";
export { type Tag, Tags } from "./tags.ts";
