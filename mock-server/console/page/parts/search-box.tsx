import { useEffect, useRef } from "preact/hooks";

/** A search under way goes on for so long after the last key, in milliseconds; then the new one begins in its place. */
const PATIENCE_MS = 250;

/** A text to search for; `/` puts the cursor into it. */
export function SearchBox({
  label,
  value,
  isBusy,
  search,
}: {
  readonly label: string;
  readonly value: string;
  /** A search is under way. */
  readonly isBusy: boolean;
  readonly search: (text: string) => void;
}) {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const waiting = useRef<string | undefined>(undefined);
  const begin = (): void => {
    clearTimeout(timer.current);
    const text = waiting.current;
    waiting.current = undefined;
    if (text !== undefined) search(text);
  };
  const type = (text: string): void => {
    waiting.current = text;
    clearTimeout(timer.current);
    if (isBusy) timer.current = setTimeout(begin, PATIENCE_MS);
    else begin();
  };
  useEffect(() => {
    if (!isBusy) begin();
  }, [isBusy]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={`${label} ( / )`}
      defaultValue={value}
      onInput={({ currentTarget }) => type(currentTarget.value)}
    />
  );
}
