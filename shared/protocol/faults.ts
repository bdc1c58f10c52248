import type * as z from "zod/mini";

/** The faults of a value in one line, which names each field and the expected value. */
export function describeFaults(error: z.core.$ZodError): string {
  return error.issues
    .map((issue) => {
      const path = issue.path.map(String).join(".");
      return path === "" ? issue.message : `${path}: ${issue.message}`;
    })
    .join("; ");
}
