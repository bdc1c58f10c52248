import type { HttpResponse } from "@upkeep/shared/system";
import { AgentError } from "../errors.ts";
import { refusal } from "./answers.ts";
import { masked } from "./masking.ts";
import { losesTls } from "./redirects.ts";

export interface Link {
  readonly url: string;
  /** URL of the server that gave the link; absent for a person's own link. */
  readonly server?: string | undefined;
  /** When the link expires, as the server said; RFC 3339. */
  readonly expire?: string | undefined;
}

/** Answers to a link that has expired or is invalid: a new link may work. */
export const LINK_REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404, 410]);

/** @throws AgentError `download-link-invalid` */
export function demandUsable({ url, server }: Link, what: string, mayLoseTls: boolean): void {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new AgentError(
      "download-link-invalid",
      `${what}: the server's link '${masked(url)}' is no http or https URL`,
    );
  }
  if (server !== undefined && losesTls(server, url) && !mayLoseTls) {
    throw new AgentError(
      "download-link-invalid",
      `${what}: ${server} gave the link '${masked(url)}', which has no TLS: refused, as without ArtifactVerifyKey nothing else says that the artifact is the server's`,
    );
  }
}

/** The error for an answer to a link that has not the content. */
export async function linkRefusal(
  answer: HttpResponse,
  what: string,
  { expire }: Pick<Link, "expire">,
  nowMs: number,
): Promise<AgentError> {
  const error = await refusal(answer, what, nowMs);
  if (answer.status === 403) {
    const valid = expire === undefined ? "" : `; it was given until ${expire}`;
    return new AgentError("download-link-expired", `${error.message} (the link has expired or is refused${valid})`);
  }
  if (answer.status === 404 || answer.status === 410) return new AgentError("download-not-found", error.message);
  // No token was sent, so a new login would not help.
  if (answer.status === 401) return new AgentError("download-refused", error.message);
  if (answer.status < 400) return new AgentError("download-refused", `${error.message}: an artifact was expected`);
  return error;
}

/** The error of a link that was refused, when the server has given a new one: that counts as another attempt. */
export function linkRenewed(refused: AgentError): AgentError {
  return new AgentError("download-link-expired", `${refused.message}; the server gave a new one`, {
    retryable: true,
    cause: refused,
  });
}
