/** Scenarios with real programs. Loaded on demand. */
export { runAttached } from "./attach.ts";
export { runReal } from "./live-run.ts";
