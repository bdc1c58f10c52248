export { SETTABLE_STATUSES, type SettableStatus } from "./auth-status.ts";
export { type AuthAttempt, DeviceAuthentication, type DevicePrincipal } from "./authentication.ts";
export { type AuthSet, type Device, type DeviceFilter, Devices } from "./devices.ts";
export type { JsonValue } from "./identity.ts";
export { type Attribute, type AttributeScope, type DeviceInventory, Inventory } from "./inventory.ts";
