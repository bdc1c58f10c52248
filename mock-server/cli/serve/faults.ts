import { type Files, isSystemError } from "@upkeep/shared/system";
import { DATABASE_FILE, UnusableDataError } from "../../storage/index.ts";
import { absolutePath } from "../../system/environment.ts";
import type { ListenAddress } from "../addresses.ts";
import { bucketFault } from "../bucket-options.ts";
import { recordsFault } from "../explaining.ts";
import { CommandError } from "../failure.ts";
import type { ServeSettings } from "./options.ts";

/** The error for an operator whose server cannot open its data. */
export async function unusableData(
  error: unknown,
  files: Files,
  { bucket, database, dataDirectory }: ServeSettings,
): Promise<unknown> {
  if (!(error instanceof UnusableDataError)) return error;
  if (error.part === "bucket") return bucket === undefined ? error : bucketFault(error.cause, bucket);
  if (database !== undefined) return await recordsFault(error.cause, "--database");
  const path = absolutePath(dataDirectory);
  return await recordsFault(error.cause, `${path}/${DATABASE_FILE}`, { files, path });
}

/** The error for an operator whose server cannot listen. */
export function listenFault(error: unknown, { host, port }: ListenAddress): unknown {
  if (!isSystemError(error)) return error;
  const where = `${host}:${port}`;
  if (error.code === "EADDRINUSE") return new CommandError(`--listen ${where}: another program has this port`);
  if (error.code === "EACCES") return new CommandError(`--listen ${where}: this user may not use this port`);
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND") {
    return new CommandError(`--listen ${where}: this machine has no such address`);
  }
  if (error.code.startsWith("ERR_OSSL") || error.code.startsWith("ERR_SSL")) {
    return new CommandError(`--cert and --key: not a certificate with its key: ${error.message}`);
  }
  return new CommandError(`--listen ${where}: ${error.message}`);
}
