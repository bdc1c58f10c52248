import { useRef } from "preact/hooks";

/** A search begins when nothing was typed for so long, in milliseconds. */
const PAUSE_MS = 250;

/** A text to search for; `/` puts the cursor into it. */
export function SearchBox({
  label,
  value,
  search,
}: {
  readonly label: string;
  readonly value: string;
  readonly search: (text: string) => void;
}) {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const type = (text: string): void => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => search(text), PAUSE_MS);
  };
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
