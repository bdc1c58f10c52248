import { printable } from "@upkeep/shared/text";
import type { Ctl } from "../context.ts";
import { keptEvents } from "../events.ts";
import { eventText } from "../output/event-text.ts";

interface EventsOptions {
  readonly kind?: readonly string[];
  readonly after?: number;
}

/** Prints what changes, until it is interrupted. */
export async function events({ kind, after }: EventsOptions, ctl: Ctl): Promise<undefined> {
  const api = await ctl.api();
  const onAway = (reason: string): void => ctl.say(`${reason}; it is read on as soon as the server answers`);
  for await (const event of keptEvents(api, { kinds: kind, after, timers: ctl.system.timers, onAway })) {
    if (ctl.json) ctl.printJsonLine(event);
    else ctl.print(printable(`${event.number}  ${eventText(event, () => undefined)}`));
  }
}
