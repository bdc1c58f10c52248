import { expect, test } from "vitest";
import { shortened } from "../../../agent/server/answers.ts";
import { masked } from "../../../agent/server/masking.ts";
import { redirectTarget } from "../../../agent/server/redirects.ts";

test.each([
  [
    "https://s3.example.com/b/a.mender?X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=0a1b",
    "https://s3.example.com/b/a.mender?X-Amz-Credential=…&X-Amz-Signature=…",
  ],
  ["ftp://user:secret@example.com/a.mender", "ftp://…@example.com/a.mender"],
  ["see '/path?x-men-signature=abc' and http://h/x?t=1.", "see '/path?x-men-signature=…' and http://h/x?t=…"],
  ["https://example.com/a.mender is not there", "https://example.com/a.mender is not there"],
])("what would let a reader of a log in is left out of %s", (text, shown) => {
  expect(masked(text)).toBe(shown);
});

test("what a store or a proxy answers is shown without the signature of the link that was asked", () => {
  const answer = "<Error><Code>AccessDenied</Code><Resource>/b/a.mender?X-Amz-Signature=0a1b2c</Resource></Error>";
  expect(shortened(answer)).toBe("AccessDenied /b/a.mender?X-Amz-Signature=…");
});

test("a redirect that leads nowhere is told without its query", () => {
  const answer = { status: 302, headers: { location: "http://[?sig=0a1b2c" } };
  const asked = { url: "https://example.com/a", method: "GET", what: "downloading" };
  expect(() => redirectTarget(answer, asked, 0, [])).toThrow("'http://[?sig=…' is no URL");
});
