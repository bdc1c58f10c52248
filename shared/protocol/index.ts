export * from "./devices.ts";
export { describeFaults } from "./faults.ts";
export { PROTOCOL_LIMITS } from "./limits.ts";
export * from "./statuses.ts";
