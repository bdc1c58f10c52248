/** The server for programs: the application, without a door and without listening. */

export { DEFAULT_OPTIONS, type ServerOptions } from "./api/options.ts";
export { type Domain, type DomainOptions, openDomain } from "./domain.ts";
export { DownloadLinks } from "./releases/links.ts";
export { buildServer, type ServerParts } from "./server.ts";
export { type Blobs, openFileBlobs } from "./storage/blobs/index.ts";
