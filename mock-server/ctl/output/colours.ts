/** Colours of a terminal; without colours, the text as it is. */
export interface Colours {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly blue: (text: string) => string;
}

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
} as const;

export function colours(wanted: boolean): Colours {
  const paint =
    ([on, off]: readonly [number, number]) =>
    (text: string): string =>
      wanted && text !== "" ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    red: paint(CODES.red),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
    blue: paint(CODES.blue),
  };
}

const MEANINGS: Readonly<Record<string, keyof Colours>> = {
  ...{ accepted: "green", success: "green", "already-installed": "green" },
  ...{ failure: "red", aborted: "red", rejected: "red", overdue: "red" },
  ...{ pending: "yellow", preauthorized: "yellow", paused: "yellow", noartifact: "yellow" },
  ...{ inprogress: "blue", downloading: "blue", installing: "blue", rebooting: "blue" },
};

/** A status, or a part of it, in the colour of its meaning. */
export function statusColoured(text: string, status: string, colours: Colours): string {
  const meaning = MEANINGS[status];
  return meaning === undefined ? text : colours[meaning](text);
}
