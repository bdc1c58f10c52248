import type * as z from "zod/mini";

/** What is wrong with a value, in one line that names each field and what it should be. */
export function describeFaults(error: z.core.$ZodError): string {
  return error.issues
    .map((issue) => {
      const path = issue.path.map(String).join(".");
      return path === "" ? issue.message : `${path}: ${issue.message}`;
    })
    .join("; ");
}
