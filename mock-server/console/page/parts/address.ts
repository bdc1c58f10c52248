import { useLocation } from "preact-iso";

/** Where the console begins: a proxy may serve it below a prefix. Without a slash at the end. */
export const BASE = new URL(document.baseURI).pathname.replace(/\/$/, "");

/** The server's own address, for commands. */
export const SERVER_URL = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** The address of a page. */
export function pageUrl(path: string, query: Readonly<Record<string, string | number | undefined>> = {}): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return BASE + path + (parts.length === 0 ? "" : `?${parts.join("&")}`);
}

/** The query of the address, and what changes it: the address bar holds what is shown. */
export function useQuery(path: string) {
  const { query, route } = useLocation();
  const change = (changes: Readonly<Record<string, string | number | undefined>>, isReplaced = true): void => {
    // What the address holds now: a search that begins after a pause knows an older one.
    const now = Object.fromEntries(new URLSearchParams(location.search));
    route(pageUrl(path, { ...now, ...changes }), isReplaced);
  };
  return { query: query as Readonly<Record<string, string | undefined>>, change };
}
