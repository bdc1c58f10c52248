export { type ChangeEvent, Events } from "./events.ts";
