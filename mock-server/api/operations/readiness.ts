import type { Timers } from "@upkeep/shared/system";
import type { Domain } from "../../domain.ts";
import { storageFaultOf } from "../../storage/index.ts";
import { HttpError, storageRefusal } from "../errors.ts";

/** How long the records may take, in milliseconds: probes have short timeouts. */
const RECORDS_MS_MAX = 5_000;
/** An id that does not exist: the check only needs an answer. */
const NO_DEPLOYMENT = "00000000-0000-0000-0000-000000000000";

/** With less free space than this, uploads soon fail. */
const FREE_BYTES_MIN = 1024 * 1024;

export interface ReadinessPorts {
  readonly system: { readonly timers: Pick<Timers, "after"> };
  readonly domain: {
    readonly deployments: Pick<Domain["deployments"], "statisticsOf">;
    readonly writeCheck?: Pick<Domain["writeCheck"], "check">;
  };
  /** Of the file system that has the data directory. */
  readonly freeBytes?: () => Promise<number>;
  /** Aborted when the server is about to end. */
  readonly ending?: AbortSignal;
}

/**
 * Checks that requests can be answered.
 * @throws HttpError (503) with the reason, without the location of the records.
 */
export async function mustBeReady({ system, domain, ending, freeBytes }: ReadinessPorts): Promise<void> {
  if (ending?.aborted === true) throw new HttpError(503, "the server is about to end");
  let late = (): void => undefined;
  const lateness = new Promise<never>((_, reject) => {
    late = () => reject(new HttpError(503, `the records have not answered for ${RECORDS_MS_MAX / 1000} seconds`));
  });
  const timer = system.timers.after(RECORDS_MS_MAX, late);
  try {
    await Promise.race([asked(domain, freeBytes), lateness]);
  } finally {
    timer.cancel();
  }
}

async function asked(
  { deployments, writeCheck }: ReadinessPorts["domain"],
  freeBytes: ReadinessPorts["freeBytes"],
): Promise<void> {
  try {
    await deployments.statisticsOf([NO_DEPLOYMENT]);
  } catch (cause) {
    throw notReady("the records cannot be read", cause);
  }
  try {
    await writeCheck?.check();
  } catch (cause) {
    throw notReady("the records cannot be written", cause);
  }
  if (freeBytes !== undefined && (await freeBytes()) < FREE_BYTES_MIN) {
    throw new HttpError(503, storageRefusal("full").message);
  }
}

function notReady(what: string, cause: unknown): HttpError {
  const fault = storageFaultOf(cause);
  const why = fault === undefined ? "" : `: ${storageRefusal(fault.kind).message}`;
  return new HttpError(503, what + why, {}, { cause });
}
