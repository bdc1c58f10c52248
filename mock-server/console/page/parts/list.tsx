import type { ComponentChildren } from "preact";
import type { Answered } from "../api.ts";
import type { Resource } from "../resource.ts";
import { pageUrl, useQuery } from "./address.ts";
import { Loaded, Pager } from "./frame.tsx";
import { SearchBox } from "./search-box.tsx";
import { statusText } from "./status.tsx";
import { plural } from "./text.tsx";

/** What a list shows of all that there is; the address holds it. */
export interface ListState {
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  /** From 1. */
  readonly page: number;
  /** Changes what is searched for, and goes to the first page. */
  readonly narrow: (changes: Readonly<Record<string, string | undefined>>) => void;
  /** Changes how it is shown. */
  readonly change: (changes: Readonly<Record<string, string | undefined>>) => void;
  /** Opens or closes something in front of it: the browser can go back. */
  readonly open: (changes: Readonly<Record<string, string | undefined>>) => void;
}

/** The state of the list of the page at this path. */
export function useList(path: string): ListState {
  const { query, change } = useQuery(path);
  const page = Math.max(1, Math.trunc(Number(query.page)) || 1);
  const open: ListState["open"] = (changes) => change(changes, false);
  return { path, query, page, change, open, narrow: (changes) => change({ ...changes, page: undefined }) };
}

/** A text to search for, kept as `q`. */
export function ListSearch({
  list,
  label,
  found,
}: {
  readonly list: ListState;
  readonly label: string;
  readonly found: Resource<unknown>;
}) {
  const search = (text: string): void => list.narrow({ q: text });
  return <SearchBox label={label} value={list.query.q ?? ""} isBusy={found.isLoading} search={search} />;
}

/** One of several values, kept under `name`; empty: any. */
export function ListChoice({
  list,
  name,
  options,
}: {
  readonly list: ListState;
  readonly name: string;
  readonly options: readonly string[];
}) {
  const value = list.query[name] ?? "";
  return (
    <select
      aria-label={name[0]?.toUpperCase() + name.slice(1)}
      value={value}
      onChange={({ currentTarget }) => list.narrow({ [name]: currentTarget.value })}
    >
      <option value="">Any {name}</option>
      {/* One that an address names is shown, even if there is none. */}
      {[...new Set([...options, ...(value === "" ? [] : [value])])].map((one) => (
        <option key={one} value={one}>
          {name === "status" ? statusText(one) : one}
        </option>
      ))}
    </select>
  );
}

/** A page of a list as a table, with links to its other pages. */
export function List<T>({
  list,
  from,
  perPage,
  noun,
  head,
  row,
  empty,
  children,
}: {
  readonly list: ListState;
  readonly from: Resource<Answered<readonly T[]>>;
  readonly perPage: number;
  /** What there is several of, as one. */
  readonly noun: string;
  /** The first row of the table. */
  readonly head: (items: readonly T[]) => ComponentChildren;
  readonly row: (item: T) => ComponentChildren;
  /** Shown if nothing is found. */
  readonly empty: ComponentChildren;
  /** Beside the number of all. */
  readonly children?: (total: number) => ComponentChildren;
}) {
  return (
    <Loaded from={from}>
      {({ data, total }) =>
        total === 0 ? (
          empty
        ) : (
          <div aria-busy={from.isLoading}>
            <div class="count">
              <span role="status">{plural(total, noun)}</span>
              {children?.(total)}
            </div>
            <table class="wide">
              {head(data)}
              <tbody>{data.map(row)}</tbody>
            </table>
            <Pager
              page={list.page}
              perPage={perPage}
              total={total}
              hrefOf={(to) => pageUrl(list.path, { ...list.query, page: to })}
            />
          </div>
        )
      }
    </Loaded>
  );
}
