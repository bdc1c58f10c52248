/** The server as a library: composed, without listening. */

export { DEFAULT_OPTIONS, type ServerOptions } from "./api/options.ts";
export { type ComposedServer, composeServer, type ServerSettings } from "./compose.ts";
export { type Domain, type DomainOptions, openDomain } from "./domain.ts";
export { type Blobs, openFileBlobs } from "./storage/blobs/index.ts";
