import assert from "node:assert/strict";
import { scrubText } from "../../../telemetry/log/scrub.ts";

const TABLE: readonly (readonly [text: string, scrubbed: string])[] = [
  ["nothing here", "nothing here"],
  ["https://host:1/a/b", "https://host:1/a/b"],
  ["GET https://host/a?token=hush#part failed", "GET https://host/a?[redacted] failed"],
  ["https://user:hush@host/a", "https://host/a"],
  ["postgres://user:hush@db:5432/x?sslmode=off", "postgres://db:5432/x?[redacted]"],
  ["two https://a/?x=hush https://b/?y=hush", "two https://a/?[redacted] https://b/?[redacted]"],
  ["(https://a/b?hush)", "(https://a/b?[redacted]"],
  ["/path?hush", "/path?[redacted]"],
  ["at /a/b?q=hush&r=hush now", "at /a/b?[redacted] now"],
  ["?key=hush", "?[redacted]"],
  ["really? yes", "really? yes"],
  ["a = b", "a = b"],
  ["Authorization: Bearer hushhush", "Authorization: [redacted]"],
  ["got bearer hushhush.hush", "got bearer [redacted]"],
  ["Basic aHVzaGh1c2g=", "Basic [redacted]"],
  ["a basic idea", "a basic idea"],
  ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[redacted]"],
  ["key sk-abcdefghijklmnopqrst", "key [redacted]"],
  ["ghp_0123456789abcdefghijABCDEFGHIJ", "[redacted]"],
  ["AKIAIOSFODNN7EXAMPLE", "[redacted]"],
  ["password=hush", "password=[redacted]"],
  ["password: hush, user: me", "password: [redacted], user: me"],
  ['{"password":"hush hush","a":1}', '{"password":[redacted],"a":1}'],
  ['{"token": "hush"}', '{"token": [redacted]}'],
  ["api_key=hush;x=1", "api_key=[redacted];x=1"],
  ["unexpected token: ;", "unexpected token: ;"],
  ["monkey: see", "monkey: see"],
  ["client_secret='hush' x", "client_secret=[redacted] x"],
  ["{'token': 'hush'}", "{'token': [redacted]}"],
  ['{"tokens":"hush"}', '{"tokens":[redacted]}'],
  ["Basic\taHVzaGh1c2g=", "Basic [redacted]"],
  ["Digest\u00a0hushhush", "Digest [redacted]"],
  ["github_pat_11HUSH0123456789abcdefghij", "[redacted]"],
];

for (const [text, scrubbed] of TABLE) {
  Deno.test(`scrubText() ${JSON.stringify(text)}`, () => assert.equal(scrubText(text), scrubbed));
}

Deno.test("scrubText() takes time that grows with the text only, whatever the text", () => {
  const pieces = [
    "://",
    "/",
    "?",
    "?a=",
    "eyJ",
    "-eyJa",
    "bearer ",
    "sk-",
    "token=",
    "://a@",
    "a",
    " ",
    '"',
    "password:",
  ];
  // Four times the text takes about four times as long; a quadratic pattern would take minutes for these.
  for (const piece of pieces) {
    const text = piece.repeat(1_000_000 / piece.length);
    assert.ok(scrubText(`${text}?x=hush`).length > 0);
  }
});
