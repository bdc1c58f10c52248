import { isSystemError, type Timers } from "@upkeep/shared/system";
import type { paths } from "../api-types/paths.ts";
import { type Api, LacksOperation, Unreachable } from "./api.ts";

const PATH = "/api/management/v1/events" satisfies keyof paths;
/** The server sends something at least every 15 seconds. */
const IDLE_MS = 45_000;

/** A change, as the server tells it. */
export interface ChangeEvent {
  readonly number: number;
  /** `device`, `deployment`, …; `reset`: changes were missed. */
  readonly kind: string;
  readonly action?: string;
  readonly subject?: string;
  readonly related?: string;
  readonly status?: string;
}

/**
 * Reads the event stream until it ends: with the session, with the server, or by `signal`.
 * @param after The number of the last event that is known.
 * @param onOpen Called as soon as changes are told.
 * @throws LacksOperation; ApiError; Unreachable
 */
export async function* readEvents(
  api: Api,
  {
    kinds = [],
    after,
    signal,
    onOpen,
  }: {
    readonly kinds?: readonly string[] | undefined;
    readonly after?: number | undefined;
    readonly signal?: AbortSignal;
    readonly onOpen?: () => void;
  },
): AsyncGenerator<ChangeEvent> {
  const answer = await api.send({
    method: "GET",
    url: api.urlOf(PATH, {}, { kind: kinds, last_event_id: after }),
    idleTimeoutMs: IDLE_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  if ([404, 405, 501].includes(answer.status)) {
    answer.cancel();
    throw new LacksOperation(api.server, `GET ${PATH}`, answer.status);
  }
  if (answer.status !== 200) await api.checked(answer);
  onOpen?.();
  try {
    yield* eventsIn(answer.body);
  } catch (error) {
    if (isSystemError(error)) throw new Unreachable(api.server, error);
    throw error;
  } finally {
    answer.cancel();
  }
}

/** The events of a body of Server-Sent Events. */
export async function* eventsIn(body: AsyncIterable<Uint8Array>): AsyncGenerator<ChangeEvent> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = eventIn(block);
      if (event !== undefined) yield event;
    }
  }
}

function eventIn(block: string): ChangeEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const [, name, value = ""] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined) fields.set(name, value);
  }
  const kind = fields.get("event");
  if (kind === undefined) return undefined;
  return { number: Number(fields.get("id")), kind, ...(JSON.parse(fields.get("data") ?? "{}") as object) };
}

/** Pauses before the stream is opened again, in milliseconds. */
const PAUSE_MS = 1000;
const PAUSE_MS_MAX = 30_000;

/**
 * Reads events for ever: the stream is opened again where it ended, also while the server is away.
 * @param onAway Told why the stream has ended.
 * @throws LacksOperation, ApiError (the session has ended); at the first time also Unreachable
 */
export async function* keptEvents(
  api: Api,
  {
    timers,
    onAway,
    after,
    ...wanted
  }: {
    readonly timers: Timers;
    readonly onAway: (reason: string) => void;
    readonly kinds?: readonly string[] | undefined;
    readonly after?: number | undefined;
    readonly onOpen?: () => void;
  },
): AsyncGenerator<ChangeEvent> {
  let last = after;
  let pauseMs = PAUSE_MS;
  let wasOpen = false;
  const onOpen = (): void => {
    wasOpen = true;
    pauseMs = PAUSE_MS;
    wanted.onOpen?.();
  };
  for (;;) {
    try {
      for await (const event of readEvents(api, { ...wanted, after: last, onOpen })) {
        last = event.number;
        yield event;
      }
    } catch (error) {
      if (!wasOpen || !(error instanceof Unreachable)) throw error;
      onAway(error.message);
    }
    await timers.sleep(pauseMs);
    pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX);
  }
}
