import { printable } from "@upkeep/shared/text";
import stringWidth from "string-width";
import type { Colours } from "./colours.ts";

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Colours the text, which may have been shortened. */
  readonly paint?: (text: string, row: Row, colours: Colours) => string;
  readonly right?: true;
  /** Columns that it may be shortened to; its texts stay whole if absent. */
  readonly least?: number;
}

const GAP = "  ";

/** Columns that a text takes on a terminal. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

/** At most `width` columns of a text, with an ellipsis if some of it is missing. */
export function shortened(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += widthOf(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences
const ESCAPE = /(\u001b\[\d+m)/;

/** {@link shortened}, of a text with colours, which stay whole. */
export function shortenedPainted(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let left = width - 1;
  const kept = text.split(ESCAPE).map((part) => {
    if (ESCAPE.test(part)) return part;
    const fitting = widthOf(part) <= left ? part : shortened(part, left + 1).slice(0, -1);
    left -= widthOf(fitting);
    if (fitting !== part) left = 0;
    return fitting;
  });
  return `${kept.join("")}…`;
}

/** A text in lines of at most `width` columns, broken at blanks where there are some. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (widthOf(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
    while (widthOf(line) > width) {
      const part = shortened(line, width + 1).slice(0, -1);
      lines.push(part);
      line = line.slice(part.length);
    }
  }
  return [...lines, line];
}

function padded(text: string, width: number, right: boolean | undefined): string {
  const blanks = " ".repeat(Math.max(width - widthOf(text), 0));
  return right ? blanks + text : text + blanks;
}

/**
 * A table with a head. On a terminal that is too narrow, columns are shortened, the widest first; where that is not
 * enough, each row becomes lines of title and value, with long values in several lines.
 * @param width Columns of the terminal; `undefined`: as wide as the texts.
 */
export function tableText<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number | undefined,
  colours: Colours,
): string {
  const cells = rows.map((row) => columns.map(({ text }) => printable(text(row))));
  const used = columns
    .map((column, index) => ({ column, index }))
    .filter(({ index }) => cells.some((row) => row[index] !== ""));
  const wanted = used.map(({ column, index }) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[index] ?? ""))),
  );
  const widths = fitted(
    wanted,
    used.map(({ column }) => column),
    width,
  );
  if (widths === undefined) return stacked(rows, cells, used, width ?? 0, colours);
  const line = (texts: readonly string[]): string => texts.join(GAP).trimEnd();
  const head = line(used.map(({ column }, at) => padded(column.title, widths[at] ?? 0, column.right)));
  const body = rows.map((row, number) =>
    line(
      used.map(({ column, index }, at) => {
        const text = shortened(cells[number]?.[index] ?? "", widths[at] ?? 0);
        const painted = column.paint?.(text, row, colours) ?? text;
        const blanks = " ".repeat(Math.max((widths[at] ?? 0) - widthOf(text), 0));
        return column.right ? blanks + painted : painted + blanks;
      }),
    ),
  );
  return [colours.bold(head), ...body].join("\n");
}

/** The widths of the columns; `undefined` if the terminal is too narrow for all of them. */
function fitted<Row>(
  wanted: readonly number[],
  columns: readonly Column<Row>[],
  width: number | undefined,
): readonly number[] | undefined {
  if (width === undefined) return wanted;
  const widths = [...wanted];
  const room = width - GAP.length * (widths.length - 1);
  for (;;) {
    if (widths.reduce((sum, one) => sum + one, 0) <= room) return widths;
    const over = widths.map(
      (one, index) => one - Math.max(columns[index]?.least ?? one, columns[index]?.title.length ?? 0),
    );
    const index = widths.reduce(
      (best, one, at) => ((over[at] ?? 0) > 0 && (best < 0 || one > (widths[best] ?? 0)) ? at : best),
      -1,
    );
    if (index < 0) return undefined;
    widths[index] = (widths[index] ?? 0) - 1;
  }
}

function stacked<Row>(
  rows: readonly Row[],
  cells: readonly (readonly string[])[],
  used: readonly { readonly column: Column<Row>; readonly index: number }[],
  width: number,
  colours: Colours,
): string {
  const titles = Math.max(...used.map(({ column }) => column.title.length));
  const room = Math.max(width - titles - GAP.length, 8);
  const blocks = rows.map((row, number) =>
    used
      .filter(({ index }) => cells[number]?.[index] !== "")
      .map(({ column, index }) => {
        const lines = wrapped(cells[number]?.[index] ?? "", room).map(
          (text) => column.paint?.(text, row, colours) ?? text,
        );
        return colours.dim(column.title.padEnd(titles)) + GAP + lines.join(`\n${" ".repeat(titles)}${GAP}`);
      })
      .join("\n"),
  );
  return blocks.join("\n\n");
}
