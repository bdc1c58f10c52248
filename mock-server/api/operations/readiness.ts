import type { Timers } from "@upkeep/shared/system";
import type { Domain } from "../../domain.ts";
import { HttpError } from "../errors.ts";

/** How long the records may take; whoever asks whether we are ready does not wait long either. */
const RECORDS_MS_MAX = 5_000;
/** One that there is not: only asking counts. */
const NO_DEPLOYMENT = "00000000-0000-0000-0000-000000000000";

export interface ReadinessPorts {
  readonly system: { readonly timers: Pick<Timers, "after"> };
  readonly domain: { readonly deployments: Pick<Domain["deployments"], "statisticsOf"> };
  /** Aborted when the server is about to end. */
  readonly ending?: AbortSignal;
}

/**
 * Whether requests can be answered.
 * @throws HttpError (503) that says why not, and nothing of where the records are.
 */
export async function mustBeReady({ system, domain, ending }: ReadinessPorts): Promise<void> {
  if (ending?.aborted === true) throw new HttpError(503, "the server is about to end");
  let late = (): void => undefined;
  const lateness = new Promise<never>((_, reject) => {
    late = () => reject(new HttpError(503, `the records have not answered for ${RECORDS_MS_MAX / 1000} seconds`));
  });
  const timer = system.timers.after(RECORDS_MS_MAX, late);
  try {
    await Promise.race([asked(domain), lateness]);
  } finally {
    timer.cancel();
  }
}

async function asked({ deployments }: ReadinessPorts["domain"]): Promise<void> {
  try {
    await deployments.statisticsOf([NO_DEPLOYMENT]);
  } catch (cause) {
    throw new HttpError(503, "the records cannot be read", {}, { cause });
  }
}
