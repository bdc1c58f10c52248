import type { Timer, Timers } from "@upkeep/shared/system";
import type { ChangeEvent, Events } from "../../domain.ts";

/** How many events are read at once. */
const BATCH = 500;
/** Other processes write events too: so often one looks whether they did, in milliseconds. */
const LOOK_EVERY_MS = 1000;
/** A connection on which nothing happens is kept alive so often, in milliseconds. */
const ALIVE_EVERY_MS = 15_000;

/** Tells whether something happened since it was made, and whom to tell when it does. */
class Watch {
  happened = false;
  #tell: (() => void) | undefined;

  notify(): void {
    this.happened = true;
    this.#tell?.();
  }

  /** Resolves when something happens, at once if it has. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      if (this.happened) resolve();
      else this.#tell = resolve;
    });
  }
}

export interface Listener {
  /** True once the connection is closed; then call {@link EventFeed.wake}. */
  readonly gone: boolean;
  /** False once the listener may not read events any more: the stream ends. */
  isEntitled(): Promise<boolean>;
}

/** The text of an event stream, from where a listener left off. */
export class EventFeed {
  readonly #events: Events;
  readonly #timers: Timers;
  readonly #watches = new Set<Watch>();
  #ended = false;

  /** @param ending Aborted when the server ends: all streams end. */
  constructor(events: Events, timers: Timers, ending: AbortSignal) {
    this.#events = events;
    this.#timers = timers;
    const end = (): void => {
      this.#ended = true;
      this.wake();
    };
    if (ending.aborted) end();
    else ending.addEventListener("abort", end, { once: true });
  }

  /** Something may have changed. */
  wake(): void {
    for (const watch of this.#watches) watch.notify();
  }

  /**
   * @param lastSeen The number of the last event that the listener has; absent: it wants what happens from now on.
   * @param kinds The kinds of events that it wants. Default, also if empty: all.
   */
  async *listen(
    lastSeen: number | undefined,
    listener: Listener,
    kinds: readonly string[] = [],
  ): AsyncGenerator<string> {
    let position = lastSeen ?? (await this.#events.last());
    yield ": connected\n\n";
    if (!(await this.#events.reaches(position))) {
      position = await this.#events.last();
      // Missed events are gone: the listener must read everything again.
      yield `id: ${position}\nevent: reset\ndata: {}\n\n`;
    }
    let silentMs = 0;
    while (!this.#ended && !listener.gone) {
      // From now on, not from when one begins to wait: what happens while one reads counts.
      const watch = new Watch();
      this.#watches.add(watch);
      try {
        const events = await this.#events.after(position, BATCH);
        // Asked after the events are read, so that none is told that happened after the session had ended. Other
        // servers end sessions too: they are noticed within LOOK_EVERY_MS.
        if (!(await listener.isEntitled())) return;
        if (events.length > 0) {
          position = events.at(-1)?.number ?? position;
          silentMs = 0;
          const wanted = kinds.length === 0 ? events : events.filter(({ kind }) => kinds.includes(kind));
          // Without an event, the number alone: the listener need not go through the others again.
          yield wanted.map(format).join("") || `id: ${position}\n\n`;
        } else {
          await this.#pause(watch);
          silentMs += watch.happened ? 0 : LOOK_EVERY_MS;
        }
      } finally {
        this.#watches.delete(watch);
      }
      if (silentMs < ALIVE_EVERY_MS) continue;
      silentMs = 0;
      yield ": alive\n\n";
    }
  }

  async #pause(watch: Watch): Promise<void> {
    let timer: Timer | undefined;
    const timeUp = new Promise<void>((resolve) => {
      timer = this.#timers.after(LOOK_EVERY_MS, resolve);
    });
    await Promise.race([watch.wait(), timeUp]);
    timer?.cancel();
  }
}

function format({ number, kind, ...data }: ChangeEvent): string {
  return `id: ${number}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
}
