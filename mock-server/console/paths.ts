/** Paths of the console's pages: the address bar holds what is shown. */
export const PAGE_PATHS = [
  "/",
  "/devices",
  "/devices/:id",
  "/groups",
  "/releases",
  "/releases/:name",
  "/deployments",
  "/deployments/new",
  "/deployments/:id",
  "/users",
] as const;

/** Pages of a server with test controls. */
export const CONTROL_PATHS = ["/scenarios"] as const;

/** Folder of scripts and style sheets, whose names have the hash of their content. */
export const ASSETS = "/assets";
