import type { ChangeEvent } from "../events.ts";

/** What is shown of an event's kind. */
const KINDS: Readonly<Record<string, string>> = {
  auth_set: "key of device",
  device_deployment: "deployment",
  deployment_log: "log of deployment",
};

/** Short names of the objects that events are about, as far as they are known. */
export type NameOf = (id: string) => string | undefined;

/** An event in words: `deployment release-2, device 1a2b3c4d: installing`. */
export function eventText({ kind, action, subject, related, status }: ChangeEvent, nameOf: NameOf): string {
  if (kind === "reset") return "events were missed that are not kept any more";
  const named = (id: string): string => nameOf(id) ?? (/^[0-9a-f]{8}-/.test(id) ? id.slice(0, 8) : id);
  const what = [KINDS[kind] ?? kind.replaceAll("_", " "), ...(subject === undefined ? [] : [named(subject)])].join(" ");
  const whom =
    related === undefined || related === ""
      ? ""
      : `, ${/^[0-9a-f]{8}-/.test(related) ? "device " : ""}${named(related)}`;
  return `${what}${whom}: ${status ?? action ?? "changed"}`;
}
