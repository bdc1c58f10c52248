export { StateScripts, type StateScriptsOptions, storeScripts } from "./scripts.ts";
