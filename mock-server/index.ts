/** The server for programs: the application, without a door and without listening. */

export { type ApplicationParts, buildApplication } from "./api/application.ts";
export { DEFAULT_OPTIONS, type ServerOptions } from "./api/options.ts";
export { type Domain, type DomainOptions, openDomain } from "./domain.ts";
export { DownloadLinks } from "./releases/links.ts";
export { type Blobs, openFileBlobs } from "./storage/blobs/index.ts";
