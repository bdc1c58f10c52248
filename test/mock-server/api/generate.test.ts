import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { DEPLOYMENTS, multipart, TestServer } from "./fixture.ts";

const PATH = `${DEPLOYMENTS}/artifacts/generate`;
const FIELDS = {
  name: "release-1",
  description: "made of a file",
  device_types_compatible: "board, other",
  type: "single_file",
  args: JSON.stringify({ filename: "app.bin", dest_dir: "/opt/app" }),
};

function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function generate(server: TestServer, fields: Readonly<Record<string, string>>, file?: Uint8Array) {
  const parts = [...Object.entries(fields), ...(file === undefined ? [] : [["file", file] as const])];
  return server.manage(PATH, { method: "POST", ...multipart(parts) });
}

test("a file becomes an artifact for the update module single-file", async () => {
  const server = await TestServer.open();
  // Larger than what is read and handed on in one piece.
  const content = randomBytes(3_000_000);
  const made = await generate(server, { ...FIELDS, size: String(content.length) }, content);
  expect([made.statusCode, made.body]).toEqual([201, ""]);
  const id = String(made.headers.location).split("/").at(-1) ?? "";
  const artifact = (await server.manage(`${DEPLOYMENTS}/artifacts/${id}`)).json();
  expect(artifact).toMatchObject({
    name: "release-1",
    description: "made of a file",
    device_types_compatible: ["board", "other"],
    updates: [{ type_info: { type: "single-file" } }],
    artifact_provides: { artifact_name: "release-1", "rootfs-image.single-file.version": "release-1" },
  });
  const files = artifact.updates[0].files.map(({ name, checksum }: { name: string; checksum: string }) => [
    name,
    checksum,
  ]);
  expect(Object.fromEntries(files)).toEqual({
    dest_dir: sha256("/opt/app\n"),
    filename: sha256("app.bin\n"),
    permissions: sha256("644\n"),
    "app.bin": sha256(content),
  });
  expect(server.blobFiles()).toEqual([id]);

  const again = await generate(server, FIELDS, Buffer.from("another"));
  expect([again.statusCode, again.json().error]).toEqual([422, "Artifact not unique"]);
  expect(server.blobFiles()).toEqual([id]);
});

test.each([
  [{ name: "" }, "name: cannot be blank"],
  [{ type: "directory" }, 'type: must be single_file, not "directory"'],
  [{ args: "{" }, "JSON"],
  [{ args: '{"filename":"a","dest_dir":"relative"}' }, "args.dest_dir: must be an absolute path"],
  [{ args: '{"filename":"../a","dest_dir":"/"}' }, '"../a"'],
  [{ device_types_compatible: " , " }, "at least one device type"],
  [{ size: "5" }, "size: 5 bytes were announced, 4 came"],
])("with %o nothing is made and nothing is kept", async (fields, message) => {
  const server = await TestServer.open();
  const answer = await generate(server, { ...FIELDS, ...fields }, Buffer.from("file"));
  expect([answer.statusCode, answer.json().error]).toEqual([400, expect.stringContaining(message)]);
  expect(server.blobFiles()).toEqual([]);
});

test("without a file nothing is made", async () => {
  const server = await TestServer.open();
  expect((await generate(server, FIELDS)).json().error).toBe("request does not contain the file");
});
