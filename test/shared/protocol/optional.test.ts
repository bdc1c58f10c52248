import {
  AuthRequest,
  DeploymentInstructions,
  DeploymentLog,
  ErrorBody,
  InventoryAttributes,
  NextRequest,
  optional,
  StatusReport,
  withoutNulls,
} from "@upkeep/shared/protocol";
import { describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { AugmentedHeaderInfo, HeaderInfo, TypeInfoFile } from "../../../shared/artifact/schemas.ts";
import { optionalFields, refusingNull } from "../../support/optional-fields.ts";

const provides = { device_type: "board", artifact_name: "release-1" };
const types = { payloads: [{ type: "app" }] };

/** Messages in which every field that may be absent is `null`, and what is left of them. */
const MESSAGES = {
  AuthRequest: [
    AuthRequest,
    { id_data: "{}", pubkey: "k", tenant_token: null, tier: null },
    { id_data: "{}", pubkey: "k" },
  ],
  NextRequest: [
    NextRequest,
    { device_provides: { ...provides, "rootfs-image.version": null }, update_control_map: null },
    { device_provides: provides },
  ],
  StatusReport: [StatusReport, { status: "success", substate: null }, { status: "success" }],
  InventoryAttributes: [
    InventoryAttributes,
    [{ name: "a", value: "1", description: null }],
    [{ name: "a", value: "1" }],
  ],
  ErrorBody: [ErrorBody, { error: "x", request_id: null }, { error: "x" }],
  DeploymentInstructions: [
    DeploymentInstructions,
    {
      id: "d1",
      artifact: {
        id: null,
        artifact_name: null,
        source: { uri: "http://a/b", expire: null },
        device_types_compatible: null,
      },
    },
    { id: "d1", artifact: { source: { uri: "http://a/b" } } },
  ],
  "header-info": [
    HeaderInfo,
    {
      ...types,
      artifact_provides: { artifact_name: "r", artifact_group: null },
      artifact_depends: { device_type: ["b"], artifact_name: null, artifact_group: null },
    },
    { ...types, artifact_provides: { artifact_name: "r" }, artifact_depends: { device_type: ["b"] } },
  ],
  "type-info": [
    TypeInfoFile,
    { type: "app", artifact_provides: null, artifact_depends: null, clears_artifact_provides: null },
    { type: "app" },
  ],
  "header-info of header-augment": [
    AugmentedHeaderInfo,
    { ...types, artifact_provides: null, artifact_depends: { device_type: null, artifact_name: null } },
    { ...types, artifact_depends: {} },
  ],
} as const;

describe("null in place of an optional field means that it is absent", () => {
  test.each(Object.entries(MESSAGES))("%s", (_, [schema, message, expected]) => {
    expect(z.safeParse(schema, message)).toEqual({ success: true, data: expected });
  });

  test("in every field of a message that may be absent", () => {
    for (const [name, [schema]] of Object.entries(MESSAGES)) {
      expect(optionalFields(schema).length, name).toBeGreaterThan(0);
      expect(refusingNull(schema), name).toEqual([]);
    }
    expect(optionalFields(DeploymentLog)).toEqual([]);
  });

  test("a field that has another type than its own is refused still", () => {
    const schema = z.object({ a: optional(z.string()) });
    expect(z.parse(schema, {})).toEqual({});
    expect(z.safeParse(schema, { a: 5 }).success).toBe(false);
    expect(z.safeParse(schema, { a: "" })).toEqual({ success: true, data: { a: "" } });
    expect(z.safeParse(AuthRequest, { id_data: null, pubkey: "k" }).success).toBe(false);
  });

  test("at any depth of a copy without nulls", () => {
    expect(withoutNulls({ a: null, b: [{ c: null, d: 0 }, null], e: "" })).toEqual({ b: [{ d: 0 }, null], e: "" });
  });
});
