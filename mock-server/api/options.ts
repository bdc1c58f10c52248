/** How the server answers. */
export interface ServerOptions {
  /** Put before download links; absent: scheme and host of the request. Without a slash at the end. */
  readonly publicUrl?: string;
  /** How long a device may use a download link, in milliseconds. */
  readonly downloadLinkLifeMs: number;
  /** Nobody logs in to the management API. Only for a server that only this machine reaches. */
  readonly insecureNoAuth: boolean;
}

export const DEFAULT_OPTIONS: ServerOptions = {
  downloadLinkLifeMs: 24 * 3600 * 1000,
  insecureNoAuth: false,
};

/** How long a user may use a download link, in milliseconds. */
export const USER_LINK_LIFE_MS = 15 * 60 * 1000;
