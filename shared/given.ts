/** `T` with an optional property in place of each value that may be undefined. */
export type Given<T extends object> = {
  [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key];
} & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** The properties that have a value: `given({ name: undefined, id: 1 })` is `{ id: 1 }`. */
export function given<T extends object>(properties: T): Given<T> {
  const found: Partial<T> = {};
  for (const name of Object.keys(properties) as (keyof T)[]) {
    if (properties[name] !== undefined) found[name] = properties[name];
  }
  return found as unknown as Given<T>;
}
