/** Options of the API. */
export interface ServerOptions {
  /** Base of download links, without a slash at the end. Default: as the client sent its request. */
  readonly publicUrl?: string;
  /** True for the address of a proxy that tells of its clients in headers. Default: there is none. */
  readonly isProxy?: (address: string) => boolean;
  /** How long a device may use a download link, in milliseconds. */
  readonly downloadLinkLifeMs: number;
  /** The management API needs no login. Only for a server that listens on a loopback address. */
  readonly insecureNoAuth: boolean;
}

export const DEFAULT_OPTIONS: ServerOptions = {
  downloadLinkLifeMs: 24 * 3600 * 1000,
  insecureNoAuth: false,
};

/** How long a user may use a download link, in milliseconds. */
export const USER_LINK_LIFE_MS = 15 * 60 * 1000;
