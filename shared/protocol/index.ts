export * from "./devices.ts";
export { keepProto, objectWithOthers, recordOf } from "./every-key.ts";
export { describeFaults } from "./faults.ts";
export { PROTOCOL_LIMITS, PROVIDES_LIMITS } from "./limits.ts";
export { optional, withoutNulls } from "./optional.ts";
export { combinationsFault, dependsFault, keyFault, providesFault, providesSizeFault, textFault } from "./provides.ts";
export * from "./statuses.ts";
export { TIME_HINT, timeMs } from "./times.ts";
