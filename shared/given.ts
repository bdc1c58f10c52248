/** `T` with an optional property in place of each value that may be undefined. */
export type Given<T extends object> = {
  [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key];
} & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** The properties that have a value: `given({ name: undefined, id: 1 })` is `{ id: 1 }`. */
export function given<T extends object>(properties: T): Given<T> {
  const present: Record<PropertyKey, unknown> = {};
  for (const key of Object.keys(properties) as (keyof T & string)[]) {
    if (properties[key] !== undefined) present[key] = properties[key];
  }
  return present as Given<T>;
}
