import type { Logger } from "@upkeep/shared/logging";
import { isSystemError, readTextFile, type System } from "@upkeep/shared/system";
import * as z from "zod/mini";
import type { ProgressEvent } from "../update/results.ts";
import { type StateName, stateOf } from "../update/states.ts";

const RECORD_BYTES_MAX = 64 * 1024;
/** The shortest pause between two writes during a download. */
const PROGRESS_PAUSE_MS = 1000;

const Moment = z.number();
const orNull = <T extends z.core.$ZodType>(schema: T) => z.union([schema, z.null()]);

/** The requests of the device that a server may refuse. */
const TOLD = ["inventory", "log", "poll", "report"] as const;
export type Told = (typeof TOLD)[number];

const ACTIVITIES = [
  "starting",
  "waiting",
  "polling",
  "sending the inventory",
  "updating",
  "stopping",
  "not set up",
  "waiting for the data partition",
] as const;

/** The state of a daemon. Moments are milliseconds since the Unix epoch. */
const DaemonStatus = z.object({
  version: z.literal(1),
  pid: z.int(),
  startedMs: Moment,
  updatedMs: Moment,
  activity: z.enum(ACTIVITIES),
  /** The update that is being worked on. */
  update: orNull(
    z.object({
      deployment: orNull(z.string()),
      artifactName: orNull(z.string()),
      state: orNull(z.string()),
      /** The state in words. */
      doing: z.string(),
      receivedBytes: z.number(),
      totalBytes: orNull(z.number()),
      sinceMs: Moment,
    }),
  ),
  /** The last request to the server; `fault` is `null` if it answered. */
  server: orNull(z.object({ atMs: Moment, fault: orNull(z.string()) })),
  /** The requests that the server refused the last time, with its reason. */
  refused: z.array(z.object({ what: z.enum(TOLD), atMs: Moment, reason: z.string() })),
  nextPollMs: orNull(Moment),
});
export type DaemonStatus = z.infer<typeof DaemonStatus>;
export type Activity = DaemonStatus["activity"];

type BoardSystem = Pick<System, "clock" | "files">;

/** The record of the daemon of `datastore`: each daemon of a machine has its own. */
function recordPath(directory: string, datastore: string): string {
  return `${directory}/${datastore.replace(/^\/+/, "").replaceAll("/", "-")}.json`;
}

/**
 * Writes the daemon's state for `upkeep status`: a small file in memory (`/run`), which wears no flash. A failed write
 * is logged and has no other effect.
 */
export class StatusBoard {
  readonly #system: BoardSystem;
  readonly #directory: string;
  readonly #path: string;
  readonly #log: Logger;
  #record: DaemonStatus;
  #writing: Promise<void> | undefined;
  #outdated = false;
  #closed = false;
  #progressAt = Number.NEGATIVE_INFINITY;

  constructor(system: BoardSystem, options: { directory: string; datastore: string; pid: number; log: Logger }) {
    this.#system = system;
    this.#directory = options.directory;
    this.#path = recordPath(options.directory, options.datastore);
    this.#log = options.log;
    const now = system.clock.now();
    this.#record = {
      version: 1,
      pid: options.pid,
      startedMs: now,
      updatedMs: now,
      activity: "starting",
      update: null,
      server: null,
      refused: [],
      nextPollMs: null,
    };
  }

  activity(activity: Activity): void {
    this.#set({ activity });
  }

  waiting(untilPollMs: number): void {
    // Polls at the times of a cron expression have no next one that is known here.
    const nextPollMs = Number.isFinite(untilPollMs) ? this.#system.clock.now() + untilPollMs : null;
    this.#set({ activity: "waiting", update: null, nextPollMs });
  }

  /** A request to the server was answered, or failed with `fault`. */
  server(fault: string | null): void {
    this.#set({ server: { atMs: this.#system.clock.now(), fault } });
  }

  /** The server has accepted a request, or refused it. */
  told(what: Told, refusal: string | null): void {
    const atMs = this.#system.clock.now();
    const others = this.#record.refused.filter((one) => one.what !== what);
    const refused = refusal === null ? others : [...others, { what, atMs, reason: refusal }];
    this.#set({ server: { atMs, fault: null }, refused: refused.sort((a, b) => (a.what < b.what ? -1 : 1)) });
  }

  updating(deployment: string | null, artifactName: string | null): void {
    const sinceMs = this.#system.clock.now();
    const update = {
      deployment,
      artifactName,
      state: null,
      doing: "starting",
      receivedBytes: 0,
      totalBytes: null,
      sinceMs,
    };
    this.#set({ activity: "updating", update });
  }

  progress(event: ProgressEvent): void {
    const { update } = this.#record;
    if (update === null) return;
    if (event.kind === "state") {
      this.#set({ update: { ...update, state: event.state, doing: stateOf(event.state satisfies StateName).doing } });
      return;
    }
    const now = this.#system.clock.monotonic();
    const { receivedBytes, totalBytes = null } = event;
    this.#record = { ...this.#record, update: { ...update, receivedBytes, totalBytes } };
    if (now - this.#progressAt < PROGRESS_PAUSE_MS) return;
    this.#progressAt = now;
    this.#set({});
  }

  /** Removes the record: the daemon ends. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    try {
      await this.#system.files.remove(this.#path);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #set(change: Partial<DaemonStatus>): void {
    this.#record = { ...this.#record, ...change, updatedMs: this.#system.clock.now() };
    this.#outdated = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Writes until the file has the latest record. It need not be durable. */
  async #write(): Promise<void> {
    const { files } = this.#system;
    try {
      await files.makeDirectory(this.#directory, 0o755);
      while (this.#outdated && !this.#closed) {
        this.#outdated = false;
        const handle = await files.open(`${this.#path}.new`, "write", 0o644);
        try {
          await handle.write(Buffer.from(`${JSON.stringify(this.#record)}\n`));
        } finally {
          await handle.close();
        }
        await files.rename(`${this.#path}.new`, this.#path);
      }
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** The next change tries again. */
  #giveUp(error: unknown): void {
    this.#log.debug(`'upkeep status' learns nothing from this daemon: ${String(error)}`);
  }
}

/** The methods of a status board. */
export type Board = Pick<StatusBoard, keyof StatusBoard>;

/** The last record of the daemon of `datastore`; `undefined` if there is none that can be read. */
export async function readDaemonStatus(
  { files }: Pick<System, "files">,
  directory: string,
  datastore: string,
): Promise<DaemonStatus | undefined> {
  try {
    const text = await readTextFile(files, recordPath(directory, datastore), RECORD_BYTES_MAX);
    return text === undefined ? undefined : z.safeParse(DaemonStatus, JSON.parse(text)).data;
  } catch (error) {
    if (isSystemError(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
