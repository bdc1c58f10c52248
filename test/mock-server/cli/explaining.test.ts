import { SystemError } from "@upkeep/shared/system";
import { DatabaseError } from "pg";
import { expect, test } from "vitest";
import { refusalOf } from "../../../mock-server/api/errors.ts";
import { connectionFault, storageFaultOf } from "../../../mock-server/storage/faults.ts";
import { explained } from "../../../mock-server/storage/index.ts";

function postgres(code: string, message: string): DatabaseError {
  const error = new DatabaseError(message, message.length, "error");
  error.code = code;
  return error;
}

const withCode = (code: string, message: string): Error => Object.assign(new Error(message), { code });

test.each([
  [new SystemError("ENOSPC", "ENOSPC: no space left on device, write"), "full", 507],
  [new SystemError("EDQUOT", "EDQUOT: disk quota exceeded, write"), "full", 507],
  [new SystemError("EROFS", "EROFS: read-only file system, open"), "read-only", 503],
  [postgres("53100", "could not extend file: No space left on device"), "full", 507],
  [postgres("57P03", "the database system is starting up"), "unreachable", 503],
  [postgres("53300", "sorry, too many clients already"), "unreachable", 503],
  [postgres("25006", "cannot execute INSERT in a read-only transaction"), "read-only", 503],
  [connectionFault(withCode("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:5432")), "unreachable", 503],
  [connectionFault(new Error("Connection terminated unexpectedly")), "unreachable", 503],
  [connectionFault(new Error("timeout exceeded when trying to connect")), "unreachable", 503],
])("%s is a fault of the storage, told with Retry-After", (error, kind, status) => {
  expect(storageFaultOf(error)?.kind).toBe(kind);
  expect(storageFaultOf(new Error("outside", { cause: error }))?.kind).toBe(kind);
  expect(refusalOf(error)).toMatchObject({ status, headers: { "retry-after": "60" } });
});

test("other errors are none, and stay faults of the server", () => {
  for (const error of [
    new Error("a mistake"),
    postgres("23505", "duplicate key"),
    connectionFault(new TypeError("x")),
  ]) {
    expect(storageFaultOf(error)).toBeUndefined();
    expect(refusalOf(error)).toBeUndefined();
    expect(explained(error)).toBeUndefined();
  }
});

test.each([
  [postgres("28P01", 'password authentication failed for user "upkeep"'), /does not let this user in.*PGPASSWORD/],
  [postgres("3D000", 'database "none" does not exist'), /there is no such database/],
  [postgres("42501", "permission denied for schema public"), /may not do that.*create tables/],
  [
    withCode(
      "ERR_DLOPEN_FAILED",
      "The module\n'x.node'\nwas compiled against NODE_MODULE_VERSION 115. This one needs 127.",
    ),
    /better-sqlite3 is compiled for Node 20, and this is Node v\d+\..*npm rebuild better-sqlite3/,
  ],
  [new Error("Could not locate the bindings file. Tried:\n → a\n → b"), /better-sqlite3 is not compiled/],
])("%s is told in one line", (error, expected) => {
  expect(explained(error)).toMatch(expected);
  expect(explained(error)).not.toContain("\n");
});
