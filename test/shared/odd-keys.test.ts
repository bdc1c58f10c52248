import { writeArtifact } from "@upkeep/shared/artifact/write";
import { applyProvides, mismatches } from "@upkeep/shared/compatibility";
import { noopLogger } from "@upkeep/shared/logging";
import { DeviceProvides, NextRequest } from "@upkeep/shared/protocol";
import { describe, expect, it } from "vitest";
import { committedProvides, toldProvides } from "../../agent/device/provides.ts";
import { newRecord } from "../../agent/update/journal.ts";
import { DeviceStore } from "../../agent/update/store.ts";
import { MemoryFiles } from "../agent/support/memory-files.ts";
import { fc } from "../support/fast-check.ts";
import { chunked, MemorySink, readBack, sourceFile } from "./artifact/support.ts";

/** Names that an object of JavaScript has a meaning of its own for, among others. */
const INHERITED = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "__defineGetter__",
];
const key = fc.oneof(fc.constantFrom(...INHERITED), fc.stringMatching(/^[a-z_.]{1,12}$/));
const text = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const texts = fc
  .uniqueArray(fc.tuple(key, text), { selector: ([name]) => name, maxLength: 8 })
  .map((entries): Readonly<Record<string, string>> => Object.fromEntries(entries));

/** Not `toEqual`, which does not see a property `__proto__`. */
const listed = (object: Readonly<Record<string, unknown>> | undefined) => Object.entries(object ?? {}).sort();

describe("keys from outside, whatever they are", () => {
  it("come through an artifact", async () => {
    await fc.assert(
      fc.asyncProperty(texts, texts, async (provides, depends) => {
        const sink = new MemorySink();
        await writeArtifact(
          {
            kind: "module-image",
            compression: "none",
            type: "x",
            artifactName: "a",
            deviceTypes: ["board"],
            noDefaultSoftwareVersion: true,
            provides,
            depends,
            metaDataJson: JSON.stringify(depends),
            files: [sourceFile("f", "content")],
          },
          sink,
        );
        const { header } = await readBack(chunked(sink.content, 4096));
        const { typeInfo, metaDataJson } = header.payloads[0] ?? {};
        expect(listed(typeInfo?.provides)).toEqual(listed(provides));
        expect(listed(typeInfo?.depends)).toEqual(listed(depends));
        expect(listed(JSON.parse(metaDataJson ?? "{}"))).toEqual(listed(depends));
      }),
      { numRuns: 50 },
    );
  });

  it("come through the device's store and journal, and are told to the server", async () => {
    await fc.assert(
      fc.asyncProperty(texts, texts, async (before, provides) => {
        const files = new MemoryFiles();
        const store = await DeviceStore.open(files, "/data", noopLogger);
        const artifact = { name: "new", group: null, payloadType: "x", provides, clears: ["nothing"] };
        const committed = committedProvides(before, artifact);
        expect(listed(committed)).toEqual(listed({ ...before, ...provides, artifact_name: "new" }));
        await store.save({ provides: committed, update: { ...newRecord({ mode: "standalone" }, 0), artifact } });
        const again = await DeviceStore.open(files, "/data", noopLogger);
        expect(listed(again.provides)).toEqual(listed(committed));
        expect(listed(again.update?.artifact?.provides ?? {})).toEqual(listed(provides));
        const told = toldProvides(again, "board");
        expect(listed(told)).toEqual(listed({ ...committed, device_type: "board" }));
        const poll = NextRequest.parse(JSON.parse(JSON.stringify({ device_provides: told })));
        expect(listed(poll.device_provides)).toEqual(listed(told));
        expect(listed(DeviceProvides.parse(told))).toEqual(listed(told));
      }),
      { numRuns: 50 },
    );
  });

  it("match what depends on them, and nothing matches what is not there", () => {
    fc.assert(
      fc.property(texts, texts, (provides, depends) => {
        const unmet = Object.entries(depends).filter(
          ([name, value]) => new Map(Object.entries(provides)).get(name) !== value,
        );
        expect(mismatches(depends, provides).map(({ key: name }) => name)).toEqual(unmet.map(([name]) => name).sort());
        const applied = applyProvides(provides, { artifactName: "a", clears: ["__*"], provides: depends });
        const kept = Object.entries(provides).filter(([name]) => !name.startsWith("__"));
        expect(listed(applied)).toEqual(listed({ ...Object.fromEntries(kept), ...depends, artifact_name: "a" }));
      }),
    );
  });
});
