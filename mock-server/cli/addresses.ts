import { CommandError } from "./failure.ts";

export interface ListenAddress {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** @throws CommandError that names the option and what would be right. */
export function parseListenAddress(value: string): ListenAddress {
  const match = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[A-Za-z0-9._-]+)):(?<port>\d{1,5})$/.exec(value);
  const port = Number(match?.groups?.port);
  const host = match?.groups?.v6 ?? match?.groups?.host;
  if (host === undefined || !(port <= 65_535)) {
    throw new CommandError(
      `--listen ${JSON.stringify(value)}: must be HOST:PORT or [IPV6]:PORT, for example 127.0.0.1:8080`,
    );
  }
  return { host, port };
}

/** True if only this machine reaches `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || /^127(\.\d{1,3}){3}$/.test(host) || host === "::1";
}

/** The URL under which this machine itself reaches the server. */
export function urlOf(scheme: "http" | "https", { host, port }: ListenAddress): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** @throws CommandError that names the option and what would be right. */
export function parsePublicUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.search !== "" ||
    url.hash !== "" ||
    url.username !== ""
  ) {
    throw new CommandError(`--public-url ${JSON.stringify(value)}: must be a URL such as https://updates.example.com`);
  }
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

/**
 * Where records are kept outside the data directory.
 * @throws CommandError that names the option. What was given may hold a password, and is not repeated.
 */
export function parseDatabaseUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new CommandError("--database: must be a URL such as postgres://upkeep@db.example.com/upkeep");
  }
  return value;
}
