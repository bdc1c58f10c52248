const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for HTML and SVG, attributes included; unprintable characters are omitted. */
export function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are omitted
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "")
      .replace(/[&<>"']/g, (found) => ESCAPES[found] ?? found)
  );
}

/** At most `length` characters, escaped. */
export function shortened(text: string, most: number): string {
  const characters = [...text];
  return escaped(characters.length <= most ? text : `${characters.slice(0, Math.max(most - 1, 1)).join("")}…`);
}
