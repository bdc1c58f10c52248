/** Scenarios with real programs. Loaded only where they are asked for. */
export { runAttached } from "./attach.ts";
export { runReal } from "./run.ts";
