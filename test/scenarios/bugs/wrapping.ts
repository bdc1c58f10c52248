/** `target` with some of its methods and properties exchanged; the others are its own, private parts included. */
export function withParts<T extends object>(target: T, parts: Partial<T>): T {
  return new Proxy(target, {
    get: (whole, name) => {
      if (Object.hasOwn(parts, name)) return parts[name as keyof T];
      const value: unknown = Reflect.get(whole, name, whole);
      return typeof value === "function" ? value.bind(whole) : value;
    },
  });
}
