/**
 * What `upkeep-server/testing` offers. The build publishes this file as its declarations, so it imports nothing.
 */

export interface StartOptions {
  /** Take connections. Default: true; without, use {@link TestServer.handle} or `upkeep-server/msw`. */
  readonly listen?: boolean;
  /** The address to take connections at. Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: any free port. */
  readonly port?: number;
  /** What the server is called where it takes no connections. Default: http://upkeep.test */
  readonly url?: string;
  /** Accept every device that asks, at once. Default: false. */
  readonly autoAccept?: boolean;
  /** How long tokens of devices are good, in milliseconds. Default: seven days. */
  readonly deviceTokenLifeMs?: number;
  /** How long download links are good, in milliseconds. Default: a day. */
  readonly downloadLinkLifeMs?: number;
  /** Called with each line of the server's log, which is JSON. */
  readonly log?: (line: string) => void;
}

export interface Administrator {
  readonly email: string;
  readonly password: string;
  /** For `Authorization: Bearer`. */
  readonly token: string;
}

/** A device as the server knows it. */
export interface TestDevice {
  readonly id: string;
  readonly status: "accepted" | "preauthorized" | "pending" | "rejected" | "noauth";
  readonly identity: Readonly<Record<string, unknown>>;
}

/** An artifact to be made. Each file's name and content go to the update module as they are. */
export interface ArtifactSpec {
  readonly name: string;
  readonly deviceTypes: readonly string[];
  /** The payload type: the name of the update module. Default: single-file. */
  readonly type?: string;
  /** Name → content. Default: what the module single-file needs to write "hello" to /tmp/upkeep-test. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly provides?: Readonly<Record<string, string>>;
  readonly depends?: Readonly<Record<string, string>>;
}

/** A deployment to be created; without devices and group it goes to all that are accepted. */
export interface DeploymentSpec {
  /** The artifacts' name. */
  readonly release: string;
  /** Default: "to" and the release. */
  readonly name?: string;
  /** Ids. */
  readonly devices?: readonly string[];
  readonly group?: string;
  /** Any other field of the management API's request, such as phases or retries. */
  readonly [field: string]: unknown;
}

/** The status of one device's part in a deployment. */
export interface DeploymentDevice {
  readonly id: string;
  readonly status: string;
  readonly substate?: string;
}

/** A fault as it stands in a scenario file: `{ answer: { status: 503 }, to: "poll", count: 3 }`. */
export type FaultSpec = Readonly<Record<string, unknown>>;

export interface SwitchedFault {
  readonly id: number;
  readonly fault: FaultSpec;
  /** How often it has happened. */
  readonly happened: number;
}

export interface Faults {
  /** Switch one on. Throws an error that says what of it is wrong. */
  add(fault: FaultSpec): SwitchedFault;
  list(): readonly SwitchedFault[];
  remove(id: number): void;
  clear(): void;
}

export interface TestClock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  readonly frozen: boolean;
  /** Stop the clock, and every timer of the server. */
  freeze(): void;
  /** Go on from where it stands. */
  run(): void;
  /** Let time pass at once: milliseconds, or text such as "2h". What is due meanwhile happens. */
  advance(duration: number | string): Promise<void>;
  /** Correct the clock: no time passes. Milliseconds since the Unix epoch, a Date, or RFC 3339. */
  set(instant: number | Date | string): void;
  /** Show the real time again. */
  reset(): void;
}

export type RequestKind =
  | "auth"
  | "poll"
  | "status"
  | "log"
  | "inventory"
  | "download"
  | "index"
  | "chunks"
  | "configuration"
  | "other";

/** One request of a device, as it was answered. */
export interface SeenRequest {
  /** From 1, in their order. */
  readonly number: number;
  readonly atMs: number;
  readonly kind: RequestKind;
  readonly method: string;
  readonly path: string;
  /** The device's id, where the request tells it. */
  readonly device?: string;
  /** The status that a device reported. */
  readonly reported?: string;
  /** Of the answer; absent: the connection broke before. */
  readonly status?: number;
}

export interface Requests {
  list(filter?: {
    readonly device?: string;
    readonly kind?: RequestKind;
    readonly after?: number;
  }): readonly SeenRequest[];
  forget(): void;
  /** The first that matches, among those that came and those that come. Rejects after `timeoutMs` (default: 10000). */
  waitFor(matches: (request: SeenRequest) => boolean, timeoutMs?: number): Promise<SeenRequest>;
}

export interface Snapshots {
  /** Remember all records and artifacts as they are now. */
  take(name: string): Promise<void>;
  restore(name: string): Promise<void>;
  drop(name: string): Promise<void>;
  list(): readonly string[];
}

/** A server of the Mender protocol for one test: its records are in memory and go with it. */
export interface TestServer {
  /** What devices take as ServerURL. */
  readonly url: string;
  readonly administrator: Administrator;
  readonly faults: Faults;
  readonly clock: TestClock;
  readonly requests: Requests;
  readonly snapshots: Snapshots;
  /** Answer a request without a socket. Rejects with a TypeError where a connection would break. */
  handle(request: Request): Promise<Response>;
  /** Ask the management API as the administrator. Rejects unless the answer is 2xx. */
  management(method: string, path: string, body?: unknown): Promise<unknown>;
  devices(): Promise<readonly TestDevice[]>;
  /** Accept every device that waits for it. Resolves to how many. */
  acceptAll(): Promise<number>;
  /** Let tokens end: of one device (its id, or the value of an identity attribute), or of all. */
  expireTokens(device?: string): Promise<number>;
  makeArtifact(artifact: ArtifactSpec): Promise<Uint8Array>;
  /** Upload an artifact's bytes, or make one. Resolves to its id. */
  uploadArtifact(artifact: ArtifactSpec | Uint8Array): Promise<string>;
  /** Resolves to its id. */
  createDeployment(deployment: DeploymentSpec): Promise<string>;
  deploymentDevices(deployment: string): Promise<readonly DeploymentDevice[]>;
  /** Make everything as it was when the server started: records, artifacts, faults, clock. */
  reset(): Promise<void>;
  /** Take no more connections, and forget everything. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Start a server for a test. */
export declare function startServer(options?: StartOptions): Promise<TestServer>;
