import assert from "node:assert/strict";
import fc from "fast-check";
import { LineWriter } from "../../../telemetry/log/log_line.ts";
import type { PlainFields } from "../../../telemetry/log/plain_value.ts";
import { Redactor } from "../../../telemetry/log/redactor.ts";

function plainOf(fields: Readonly<Record<string, unknown>>): PlainFields {
  return new Redactor().redact(fields).plain;
}

/** An object that `value` is `depth` levels inside of. */
function nest(value: unknown, depth: number): Record<string, unknown> {
  return depth === 0 ? { inner: value } : { inner: nest(value, depth - 1) };
}

for (const depth of [0, 1, 5]) {
  Deno.test(`Redactor.redact() drops secrets ${depth} levels deep`, () => {
    const line = JSON.stringify(
      plainOf(nest({ token: "hush", ok: 1, list: [{ api_key: "hush", n: 2 }] }, depth)),
    );
    assert.equal(line.includes("hush"), false);
    assert.equal(line.includes('"ok":1'), true);
    assert.equal(line.includes('"n":2'), true);
  });
}

Deno.test("Redactor.redact() drops secrets in errors and their causes", () => {
  const cause = Object.assign(new Error("inner"), { password: "hush" });
  const error = Object.assign(new TypeError("outer", { cause }), { token: "hush", code: "E1" });
  const fields = plainOf({ error });
  assert.equal(JSON.stringify(fields).includes("hush"), false);
  const { name, message, code, cause: inner } = fields["error"] as PlainFields;
  assert.deepEqual([name, message, code], ["TypeError", "outer", "E1"]);
  assert.equal((inner as PlainFields)["message"], "inner");
});

Deno.test("Redactor.redact() writes values that JSON has no word for", () => {
  const fields = plainOf({
    big: 2n ** 70n,
    huge: 10n ** 100n,
    nan: NaN,
    infinite: -Infinity,
    nothing: null,
    absent: undefined,
    call: () => 1,
    symbol: Symbol("s"),
    date: new Date(0),
    bad_date: new Date(NaN),
    bytes: new Uint8Array(5),
    set: new Set([1, "a"]),
    map: new Map<unknown, unknown>([["k", 1], [2, "two"], ["token", "hush"], [{}, 3]]),
    list: [undefined, 1],
  });
  assert.deepEqual(fields, {
    big: "1180591620717411303424",
    huge: "[large integer]",
    nan: "NaN",
    infinite: "-Infinity",
    nothing: null,
    date: "1970-01-01T00:00:00.000Z",
    bad_date: "invalid",
    bytes: "[5 bytes]",
    set: [1, "a"],
    map: { k: 1, "2": "two", "[object]": 3 },
    list: [null, 1],
  });
});

Deno.test("Redactor.redact() survives cycles, and shows a value twice that is no cycle", () => {
  const cycle: Record<string, unknown> = { n: 1 };
  cycle["self"] = cycle;
  const shared = { n: 2 };
  assert.deepEqual(plainOf({ cycle, a: [shared, shared] }), {
    cycle: { n: 1, self: "[circular]" },
    a: [{ n: 2 }, { n: 2 }],
  });
});

Deno.test("Redactor.redact() survives getters and proxies that throw", () => {
  const hostile = {
    get bad(): string {
      throw new Error("no");
    },
    good: 1,
  };
  const proxy = new Proxy({}, {
    ownKeys(): string[] {
      throw new Error("no");
    },
  });
  assert.deepEqual(plainOf({ hostile, proxy }), {
    hostile: { bad: "[unreadable]", good: 1 },
    proxy: "[unreadable]",
  });
});

Deno.test("Redactor.redact() bounds depth, lists and texts", () => {
  const fields = plainOf({
    deep: nest(1, 20),
    list: Array.from({ length: 101 }, () => 1),
    long: "x".repeat(16_385),
  });
  assert.ok(JSON.stringify(fields["deep"]).includes("[too deep]"));
  assert.equal((fields["list"] as unknown[]).length, 101);
  assert.equal((fields["list"] as unknown[]).at(-1), "… (1 more)");
  assert.equal(fields["long"], `${"x".repeat(16_384)}… (1 more)`);
});

Deno.test("Redactor.redact() bounds what one event costs, however its values nest", () => {
  let wide: unknown = "x";
  for (let level = 0; level < 6; level++) wide = Array.from({ length: 50 }, () => wide);
  const text = JSON.stringify(plainOf({ wide, other: Array.from({ length: 50 }, () => "y".repeat(16_000)) }));
  assert.ok(text.includes("[too much]"));
  assert.ok(text.length < 200_000, `${text.length}`);
});

Deno.test("Redactor.redact() keeps a field called __proto__ a field", () => {
  const fields = JSON.parse('{"__proto__":{"a":1},"b":{"__proto__":2}}');
  assert.equal(JSON.stringify(plainOf(fields)), '{"__proto__":{"a":1},"b":{"__proto__":2}}');
});

Deno.test("Redactor.redact() drops what has an endless name", () => {
  assert.deepEqual(plainOf({ [`${"x".repeat(300)}`]: 1, a: { [`${"x".repeat(300)}`]: 1 } }), { a: {} });
});

Deno.test("Redactor.redact() scrubs texts at any depth, error messages and URLs too", () => {
  const error = new AggregateError([new Error("GET https://a/?x=hush")], "password=hush");
  const text = JSON.stringify(
    plainOf({ a: "Bearer hushhush", b: [{ c: "/p?hush" }], error, url: new URL("http://u:hush@h/?q=hush") }),
  );
  assert.equal(text.includes("hush"), false);
  assert.match(text, /"errors":\[\{/);
});

const SECRET = "HUSH0123456789";
const word = fc.constantFrom(
  "token",
  "key",
  "secret",
  "password",
  "authorization",
  "prompt",
  "completion",
  "messages",
  "text",
  "body",
  "args",
  "query",
  "cookie",
);
/** A denied name, as anybody may spell it. */
const deniedName = fc.tuple(
  fc.constantFrom("", "api", "user", "x", "client.id", "ACCESS"),
  fc.constantFrom("_", "-", ".", " ", "__"),
  word,
  fc.constantFrom(
    (text: string) => text,
    (text: string) => text.toUpperCase(),
    (text: string) => text.charAt(0).toUpperCase() + text.slice(1),
    (text: string) => `${text.charAt(0)}\u200b${text.slice(1)}`,
  ),
).map(([before, separator, name, spell]) => before === "" ? spell(name) : before + separator + spell(name));
/** A text that has a secret in it in a form that can be recognised. */
const hidingText = fc.constantFrom(
  (secret: string) => `https://host/path?a=${secret}`,
  (secret: string) => `https://${secret}@host/`,
  (secret: string) => `/path?${secret}`,
  (secret: string) => `Authorization: Bearer ${secret}`,
  (secret: string) => `failed with password=${secret}`,
  (secret: string) => `{"api_key":"${secret}"}`,
).map((hide) => hide(SECRET));
const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null), hidingText);
const { tree } = fc.letrec<{ tree: unknown; secretive: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie("tree"), { maxKeys: 3 }),
    fc.array(fc.tuple(fc.string(), tie("tree")), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie("tree"), { maxLength: 3 }).map((values) => new Set(values)),
    fc.tuple(hidingText, tie("tree")).map(([text, cause]) => new Error(text, { cause })),
    tie("secretive"),
  ),
  // Whatever hangs below a denied name is secret, in whatever it is wrapped.
  secretive: fc.tuple(
    deniedName,
    fc.constantFrom(
      (): unknown => SECRET,
      (): unknown => [SECRET],
      (): unknown => ({ value: SECRET }),
      (): unknown => new Error(SECRET),
      (): unknown => new Map([["value", SECRET]]),
    ),
    fc.constantFrom("record", "map", "error", "getter"),
  ).map(([name, make, holder]): unknown => {
    if (holder === "map") return new Map([[name, make()]]);
    if (holder === "error") return Object.assign(new Error("x"), { [name]: make() });
    if (holder === "record") return { [name]: make(), kept: 1 };
    return Object.defineProperty({}, name, { enumerable: true, get: make });
  }),
}));

Deno.test("no marked secret ever appears in a line, whatever it is wrapped in", () => {
  const writer = new LineWriter("svc");
  const redactor = new Redactor();
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), tree),
      tree,
      deniedName,
      hidingText,
      (fields, cause, name, message) => {
        const { plain, json } = redactor.redact({
          ...fields,
          cause,
          [name]: SECRET,
          error: new Error(message, { cause }),
        });
        const event = {
          atMs: 0,
          level: "info",
          target: "t",
          message: "m",
          ids: undefined,
          fields: plain,
        } as const;
        assert.equal(json.includes(SECRET), false);
        assert.equal(JSON.stringify(plain).includes(SECRET), false);
        assert.equal(writer.toPretty(event).includes(SECRET), false);
      },
    ),
    { numRuns: 500 },
  );
});
