import type { DownloadLinks, LinkMethod } from "../releases/links.ts";
import { HttpError } from "./errors.ts";

/**
 * @param url The request's path with its query.
 * @throws HttpError (403) unless it is a link that was handed out, and is still good.
 */
export function checkLink(
  links: DownloadLinks,
  url: string,
  query: Readonly<Record<string, unknown>>,
  method: LinkMethod = "GET",
): void {
  switch (links.fault(url.split("?", 1)[0] ?? "", query, method)) {
    case undefined:
      return;
    case "missing":
      throw new HttpError(403, "the link is not signed");
    case "forged":
      throw new HttpError(403, "the link's signature is not valid");
    case "expired":
      throw new HttpError(403, "the link has expired");
  }
}
