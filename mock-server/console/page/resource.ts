import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { changesOf, type Kind } from "./live.ts";

/** Something that is loaded from the server. */
export interface Resource<T> {
  /** Absent until it is there for the first time. */
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

interface State<T> {
  readonly data: T | undefined;
  readonly error: Error | undefined;
  readonly isLoading: boolean;
}

/**
 * Loads something, and loads it again when `key` changes or something of these kinds has changed.
 * @param key What is asked for.
 * @param isKept What another key brought stays until the new one is there; else it is forgotten.
 */
export function useResource<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  kinds: readonly Kind[] = [],
  { isKept = false }: { readonly isKept?: boolean } = {},
): Resource<T> {
  const state = useSignal<State<T>>({ data: undefined, error: undefined, isLoading: true });
  const running = useRef<AbortController | undefined>(undefined);
  const latest = useRef(load);
  latest.current = load;

  const start = (): void => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    state.value = { ...state.peek(), isLoading: true };
    latest.current(controller.signal).then(
      (data) => {
        if (!controller.signal.aborted) state.value = { data, error: undefined, isLoading: false };
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        const reason = error instanceof Error ? error : new Error(String(error));
        state.value = { data: state.peek().data, error: reason, isLoading: false };
      },
    );
  };

  const isFirst = useRef(true);
  // An ordinary effect would wait until the browser has painted: a frame for each key of a search.
  useLayoutEffect(() => {
    state.value = { data: isKept ? state.peek().data : undefined, error: undefined, isLoading: true };
    start();
    return () => running.current?.abort();
  }, [key]);
  useSignalEffect(() => {
    changesOf(kinds);
    if (isFirst.current) isFirst.current = false;
    else start();
  });
  return { ...state.value, reload: start };
}
