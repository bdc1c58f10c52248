import { type Signal, signal } from "@preact/signals";
import { urlOf } from "./api.ts";

/** Kinds of objects whose changes the server tells. */
const KINDS = [
  ...["device", "auth_set", "inventory", "artifact", "release", "deployment", "device_deployment"],
  ...["deployment_log", "filter", "configuration", "user"],
] as const;
export type Kind = (typeof KINDS)[number];

const PATH = "/api/management/v1/events";
/** What is shown follows changes at most this often, in milliseconds. */
const FOLLOW_MS = 1000;
const RESET = "reset";
const CHANNEL = "upkeep-events";

/** Whether changes arrive. */
export const stream: Signal<"connecting" | "live" | "broken"> = signal("connecting");

/** Counts the changes of each kind. */
const counts = new Map<Kind, Signal<number>>(KINDS.map((kind) => [kind, signal(0)]));

/** Changes whenever something of these kinds has changed. */
export function changesOf(kinds: readonly Kind[]): string {
  return kinds.map((kind) => counts.get(kind)?.value).join();
}

const changed = new Set<string>();

function note(kind: string): void {
  if (changed.size === 0) setTimeout(tellChanges, FOLLOW_MS);
  changed.add(kind);
}

function tellChanges(): void {
  const all = changed.has(RESET);
  for (const [name, count] of counts) if (all || changed.has(name)) count.value += 1;
  changed.clear();
}

/**
 * Follows the server's events. Browsers open few connections to a server: one tab reads the stream and tells the others.
 * @returns What ends it.
 */
export function follow(): () => void {
  const ending = new AbortController();
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: MessageEvent<{ readonly kind?: string; readonly state?: typeof stream.value }>) => {
    if (data.state !== undefined) stream.value = data.state;
    if (data.kind !== undefined) note(data.kind);
  };
  const tell = (state: typeof stream.value): void => {
    stream.value = state;
    channel.postMessage({ state });
  };
  const read = (): Promise<void> =>
    new Promise((resolve) => {
      const source = new EventSource(urlOf(PATH));
      source.onopen = () => {
        // Changes of the time without a connection are not known.
        if (stream.value === "broken") note(RESET);
        tell("live");
      };
      source.onerror = () => tell("broken");
      for (const kind of [...KINDS, RESET]) {
        source.addEventListener(kind, () => {
          note(kind);
          channel.postMessage({ kind, state: "live" });
        });
      }
      ending.signal.addEventListener("abort", () => {
        source.close();
        resolve();
      });
    });
  if (navigator.locks === undefined) void read();
  else navigator.locks.request(CHANNEL, { signal: ending.signal }, read).catch(() => undefined);
  return () => {
    ending.abort();
    channel.close();
    stream.value = "connecting";
  };
}
