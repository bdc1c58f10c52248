export { type ChangeEvent, EVENT_KINDS, type EventKind, Events } from "./events.ts";
