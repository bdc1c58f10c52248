/** Characters of a value that are shown: a configuration may hold secrets. */
const SHOWN_CHARACTERS = 3;

/** A configuration as the reference shows it in a deployment: base64 of JSON, with the ends of longer values left out. */
export function maskedConfiguration(configuration: Readonly<Record<string, string>>): string {
  const masked = Object.entries(configuration).map(([key, value]) => [key, maskedValue(value)] as const);
  return Buffer.from(JSON.stringify(Object.fromEntries(masked))).toString("base64");
}

function maskedValue(value: string): string {
  const characters = [...value];
  if (characters.length <= SHOWN_CHARACTERS) return value;
  return `${characters.slice(0, SHOWN_CHARACTERS).join("")}...<omitted>`;
}
