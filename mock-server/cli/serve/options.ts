import { given } from "@upkeep/shared/given";
import { LOG_LEVELS, type LogFormat } from "@upkeep/shared/logging";
import { defaultDataDirectory } from "../../system/environment.ts";
import { type Networks, parseNetworks } from "../../system/networks.ts";
import { isLoopback, type ListenAddress, parseDatabaseUrl, parseListenAddress, parsePublicUrl } from "../addresses.ts";
import {
  type AdministratorSettings,
  administratorSettingsOf,
  DEFAULT_ADMINISTRATOR,
} from "../administrator-options.ts";
import { BUCKET_OPTIONS, type BucketSettings, bucketOf } from "../bucket-options.ts";
import { DATA_OPTION } from "../data-option.ts";
import { parseDuration } from "../durations.ts";
import { CommandError } from "../failure.ts";
import type { RecordSettings } from "../recording.ts";

/** The options of `serve`, validated. */
export interface ServeSettings {
  readonly dataDirectory: string;
  /** PostgreSQL, as `postgres://…`. Absent: the records are in the data directory. */
  readonly database?: string;
  /** The administrator that the first start makes. */
  readonly administrator?: AdministratorSettings;
  /** Bucket of the artifacts. Absent: files in the data directory. */
  readonly bucket?: BucketSettings;
  readonly listen: ListenAddress;
  readonly tls?: "self-signed" | { readonly certPath: string; readonly keyPath: string };
  readonly publicUrl?: string;
  /** Proxies whose headers about the client are believed. */
  readonly proxies?: Networks;
  readonly autoAccept: boolean;
  readonly insecureNoAuth: boolean;
  /** Serve the web pages. */
  readonly console: boolean;
  /** Hosts from which the control API takes requests. Absent: there is no control API. */
  readonly testControls?: "this-machine" | "any";
  readonly deviceTokenLifeMs: number;
  readonly downloadLinkLifeMs: number;
  /** Recording of the exchanges with devices. */
  readonly record?: RecordSettings;
  /** Limit of open connections. Absent: none. */
  readonly connectionsMax?: number;
  /** The same for one address other than loopback. 0 or absent: none. */
  readonly connectionsPerAddressMax?: number;
  /** Index artifacts, and offer adaptive downloads. Default: no. */
  readonly adaptive?: boolean;
}

/** Limit of S3 for the validity of a link. */
const BUCKET_LINK_LIFE_MS_MAX = 7 * 24 * 60 * 60 * 1000;

export const LOG_FORMATS = ["human", "plain", "json", "journal"] as const satisfies readonly LogFormat[];

export const SERVE_OPTIONS = {
  data: { ...DATA_OPTION, describe: "Directory for everything that is kept; made if it is not there" },
  database: {
    type: "string",
    describe: "PostgreSQL database for the records, as postgres://USER@HOST:PORT/NAME; several servers may share it",
    defaultDescription: "an SQLite file in the data directory",
    requiresArg: true,
  },
  ...BUCKET_OPTIONS,
  listen: {
    type: "string",
    describe: "Where to take connections, as HOST:PORT or [IPV6]:PORT; port 0 takes a free one",
    default: "127.0.0.1:8080",
    requiresArg: true,
  },
  "public-url": {
    type: "string",
    describe: "URL under which devices reach this server; by default download links name the host they asked",
    requiresArg: true,
  },
  "trust-proxy": {
    type: "string",
    array: true,
    describe:
      "Addresses or networks of proxies in front: what they tell of the client (Forwarded, X-Forwarded-For, -Host, -Port, -Prefix, -Proto) is believed",
    requiresArg: true,
  },
  "auto-accept": { type: "boolean", describe: "Accept every new device at once (for development)", default: false },
  adaptive: {
    type: "boolean",
    describe:
      "Index artifacts, so that devices fetch only what they do not have; --no-adaptive makes no more indexes, and all downloads plain",
    default: true,
  },
  console: {
    type: "boolean",
    describe: "Serve the console, the web page of operators, at /; --no-console serves the API alone",
    default: true,
  },
  "insecure-no-auth": {
    type: "boolean",
    describe: "Manage devices without logging in; only with a loopback address",
    default: false,
  },
  "test-controls": {
    type: "count",
    describe:
      "Let tests switch faults on, move the clock and reset the records, without logging in; only with a loopback address, or if it is said twice",
  },
  "admin-email": {
    type: "string",
    describe: "E-mail address of the administrator whom the first start makes",
    defaultDescription: DEFAULT_ADMINISTRATOR,
    requiresArg: true,
  },
  "admin-password-file": {
    type: "string",
    describe: "File with that administrator's password, in place of one that is made and printed; - is standard input",
    requiresArg: true,
  },
  cert: { type: "string", describe: "PEM file with the TLS certificate and its chain", requiresArg: true },
  key: { type: "string", describe: "PEM file with the TLS certificate's key", requiresArg: true },
  "tls-self-signed": {
    type: "boolean",
    describe: "TLS with a certificate of our own, kept in the data directory for devices to trust",
    default: false,
  },
  "device-token-life": {
    type: "string",
    describe: "How long a device's token is good",
    default: "7d",
    requiresArg: true,
  },
  "download-link-life": {
    type: "string",
    describe: "How long a device may use a download link",
    default: "24h",
    requiresArg: true,
  },
  "max-connections": {
    type: "number",
    describe: "Connections that are open at once; for one more, the one that is idle for longest is closed",
    default: 10_000,
    requiresArg: true,
  },
  "max-connections-per-address": {
    type: "number",
    describe: "The same for one address; 0 for no limit; loopback and the addresses of --trust-proxy have none",
    default: 1000,
    requiresArg: true,
  },
  record: {
    type: "string",
    describe: "File to write every exchange with devices to, without secrets, for `scenario replay`",
    requiresArg: true,
  },
  "record-artifacts": {
    type: "boolean",
    describe: "Keep the artifacts that devices download beside that file, in FILE.artifacts",
    default: false,
  },
  json: {
    type: "boolean",
    describe: "On standard output, write nothing but one JSON object in one line once the server is ready",
    default: false,
  },
  "log-level": { choices: LOG_LEVELS, describe: "Least severity that is logged", default: "info" },
  "log-format": {
    choices: LOG_FORMATS,
    describe: "How log lines look",
    defaultDescription: "human on a terminal, json otherwise",
  },
} as const;

export const SERVE_EPILOGUE = `The first start makes an administrator and prints the password, once. The way back in: upkeep-server user passwd.
The log goes to standard error. With --json, the line on standard output holds: url, data, certificate
(path; only with --tls-self-signed), and at the first start administrator: {email, password} (the
password only if it was made here).
The password for --database may stand in the environment as PGPASSWORD. Servers that share a database share
the data directory as well, where the artifacts are, or the bucket of --blobs.
The keys for --blobs stand in the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if there is one,
AWS_SESSION_TOKEN.
The body of a request must make 250 bytes a second after 30 seconds, an artifact 1,000 after five minutes; bodies
above 16 KiB take 64 MiB of memory in all, and more of them are answered with 503 and Retry-After.
SIGTERM and SIGINT let requests in flight finish; a second one ends the server at once.`;

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function countOf(args: Readonly<Record<string, unknown>>, option: string, least: number): number {
  const count = args[option];
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= least) return count;
  throw new CommandError(`--${option} ${JSON.stringify(count)}: must be a whole number of at least ${least}`);
}

function recordOf(args: Readonly<Record<string, unknown>>): Pick<ServeSettings, "record"> {
  const path = text(args.record);
  const artifacts = args["record-artifacts"] === true;
  if (path === undefined && artifacts) throw new CommandError("--record-artifacts needs --record");
  return path === undefined ? {} : { record: { path, artifacts } };
}

/**
 * Validates the options.
 * @throws CommandError that names the option at fault.
 */
export function settingsOf(args: Readonly<Record<string, unknown>>): ServeSettings {
  const listen = parseListenAddress(text(args.listen) ?? "");
  const insecureNoAuth = args["insecure-no-auth"] === true;
  if (insecureNoAuth && !isLoopback(listen.host)) {
    throw new CommandError(
      `--insecure-no-auth lets anybody manage devices, so --listen must be a loopback address, not ${listen.host}`,
    );
  }
  const proxies = proxiesOf(args["trust-proxy"]);
  if (insecureNoAuth && proxies !== undefined) {
    throw new CommandError(
      "--insecure-no-auth lets anybody manage devices, so no proxy of --trust-proxy may bring others here",
    );
  }
  const testControls = controlsOf(args["test-controls"], listen, proxies !== undefined);
  const cert = text(args.cert);
  const key = text(args.key);
  const selfSigned = args["tls-self-signed"] === true;
  if ((cert === undefined) !== (key === undefined)) throw new CommandError("--cert and --key go together");
  if (selfSigned && cert !== undefined) throw new CommandError("--tls-self-signed and --cert exclude each other");
  const publicUrl = text(args["public-url"]);
  const database = text(args.database);
  const bucket = bucketOf(args);
  const downloadLinkLifeMs = parseDuration("download-link-life", text(args["download-link-life"]) ?? "");
  if (bucket !== undefined && downloadLinkLifeMs > BUCKET_LINK_LIFE_MS_MAX) {
    throw new CommandError("--download-link-life: links to a bucket are good for seven days at most");
  }
  return {
    dataDirectory: text(args.data) ?? defaultDataDirectory(),
    ...(database === undefined ? {} : { database: parseDatabaseUrl(database) }),
    ...given({ bucket }),
    listen,
    ...(cert === undefined || key === undefined ? {} : { tls: { certPath: cert, keyPath: key } }),
    ...(selfSigned ? { tls: "self-signed" as const } : {}),
    ...(publicUrl === undefined ? {} : { publicUrl: parsePublicUrl(publicUrl) }),
    administrator: administratorSettingsOf(args["admin-email"], args["admin-password-file"]),
    ...given({ proxies }),
    autoAccept: args["auto-accept"] === true,
    insecureNoAuth,
    adaptive: args.adaptive !== false,
    console: args.console !== false,
    ...given({ testControls }),
    deviceTokenLifeMs: parseDuration("device-token-life", text(args["device-token-life"]) ?? ""),
    downloadLinkLifeMs,
    connectionsMax: countOf(args, "max-connections", 1),
    connectionsPerAddressMax: countOf(args, "max-connections-per-address", 0),
    ...recordOf(args),
  };
}

/** @throws CommandError that names what is neither an address nor a network. */
function proxiesOf(said: unknown): Networks | undefined {
  const texts = [said ?? []].flat().map(String);
  if (texts.length === 0) return undefined;
  const networks = parseNetworks(texts);
  if ("has" in networks) return networks;
  throw new CommandError(
    `--trust-proxy ${JSON.stringify(networks.wrong)}: must be an IP address, or a network such as 10.0.0.0/8`,
  );
}

/** @returns The hosts from which the control API takes requests. */
function controlsOf(said: unknown, { host }: ListenAddress, behindProxy: boolean): ServeSettings["testControls"] {
  const times = typeof said === "number" ? said : 0;
  if (times === 0) return undefined;
  if (isLoopback(host) && !behindProxy) return "this-machine";
  if (times > 1) return "any";
  if (behindProxy) {
    throw new CommandError(
      "--test-controls lets anybody change everything, and a proxy of --trust-proxy brings others here; say it twice to do it all the same",
    );
  }
  throw new CommandError(
    `--test-controls lets anybody change everything, so --listen must be a loopback address, not ${host}; say it twice to do it all the same`,
  );
}
