import type { Ctl } from "../context.ts";
import { findDevice, valueText } from "../devices.ts";
import { usage } from "../failure.ts";

interface TagOptions {
  readonly device: string;
  readonly tag: readonly string[];
}

const TAGS = "/api/management/v1/inventory/devices/{id}/tags";

/** Puts tags on a device, or takes them off. */
export async function devicesTag({ device, tag }: TagOptions, ctl: Ctl): Promise<undefined> {
  const changes = new Map(tag.map(parseTag));
  const api = await ctl.api();
  const params = { id: await findDevice(api, device) };
  const added = [...changes].filter(([, value]) => value !== "").map(([name, value]) => ({ name, value }));
  if (added.length === changes.size) await api.call("patch", TAGS, { params, body: added });
  else {
    // What is taken off has to be left out of all that there are.
    const { data, etag } = await api.call("get", "/api/management/v1/inventory/devices/{id}", { params });
    const kept = data.attributes
      .filter(({ scope, name }) => scope === "tags" && !changes.has(name))
      .map(({ name, value }) => ({ name, value: valueText(value) }));
    await api.call("put", TAGS, {
      params,
      body: [...kept, ...added],
      ...(etag === undefined ? {} : { headers: { "if-match": etag } }),
    });
  }
  ctl.say(
    `Tags of ${params.id}: ${[...changes].map(([name, value]) => (value === "" ? `no ${name}` : `${name}=${value}`)).join(", ")}`,
  );
}

function parseTag(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw usage(`tag ${JSON.stringify(text)}: must be NAME=VALUE, or NAME= to take it off`);
}
