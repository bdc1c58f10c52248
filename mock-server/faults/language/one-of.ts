import type * as z from "zod";

/** The keys of `value` that are among `names` and hold something. */
export function presentKeys<N extends string>(value: Readonly<Record<string, unknown>>, names: readonly N[]): N[] {
  return names.filter((name) => value[name] !== undefined);
}

/** A check that exactly one of these keys is there. */
export function exactlyOne<T extends object>(names: readonly string[]) {
  return (value: T, context: z.core.$RefinementCtx<T>): void => {
    const present = presentKeys(value as Readonly<Record<string, unknown>>, names);
    if (present.length === 1) return;
    const message =
      present.length === 0 ? `exactly one of ${names.join(", ")}` : `only one of ${present.join(", ")} at a time`;
    context.addIssue({ code: "custom", message, params: { expected: true }, input: value });
  };
}
