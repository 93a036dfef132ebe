import assert from "node:assert/strict";
import { type PlainFields, Redactor } from "../../telemetry/plain_value.ts";

function plainOf(fields: Readonly<Record<string, unknown>>): PlainFields {
  return new Redactor().fields(fields);
}

/** An object that `value` is `depth` levels inside of. */
function nest(value: unknown, depth: number): Record<string, unknown> {
  return depth === 0 ? { inner: value } : { inner: nest(value, depth - 1) };
}

for (const depth of [0, 1, 5]) {
  Deno.test(`Redactor.fields() drops secrets ${depth} levels deep`, () => {
    const line = JSON.stringify(
      plainOf(nest({ token: "hush", ok: 1, list: [{ api_key: "hush", n: 2 }] }, depth)),
    );
    assert.equal(line.includes("hush"), false);
    assert.equal(line.includes('"ok":1'), true);
    assert.equal(line.includes('"n":2'), true);
  });
}

Deno.test("Redactor.fields() drops secrets in errors and their causes", () => {
  const cause = Object.assign(new Error("inner"), { password: "hush" });
  const error = Object.assign(new TypeError("outer", { cause }), { token: "hush", code: "E1" });
  const fields = plainOf({ error });
  assert.equal(JSON.stringify(fields).includes("hush"), false);
  const { name, message, code, cause: inner } = fields["error"] as PlainFields;
  assert.deepEqual([name, message, code], ["TypeError", "outer", "E1"]);
  assert.equal((inner as PlainFields)["message"], "inner");
});

Deno.test("Redactor.fields() writes values that JSON has no word for", () => {
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

Deno.test("Redactor.fields() survives cycles, and shows a value twice that is no cycle", () => {
  const cycle: Record<string, unknown> = { n: 1 };
  cycle["self"] = cycle;
  const shared = { n: 2 };
  assert.deepEqual(plainOf({ cycle, a: [shared, shared] }), {
    cycle: { n: 1, self: "[circular]" },
    a: [{ n: 2 }, { n: 2 }],
  });
});

Deno.test("Redactor.fields() survives getters and proxies that throw", () => {
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

Deno.test("Redactor.fields() bounds depth, lists and texts", () => {
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

Deno.test("Redactor.fields() bounds what one event costs, however its values nest", () => {
  let wide: unknown = "x";
  for (let level = 0; level < 6; level++) wide = Array.from({ length: 50 }, () => wide);
  const text = JSON.stringify(plainOf({ wide, other: Array.from({ length: 50 }, () => "y".repeat(16_000)) }));
  assert.ok(text.includes("[too much]"));
  assert.ok(text.length < 200_000, `${text.length}`);
});

Deno.test("Redactor.fields() keeps a field called __proto__ a field", () => {
  const fields = JSON.parse('{"__proto__":{"a":1},"b":{"__proto__":2}}');
  assert.equal(JSON.stringify(plainOf(fields)), '{"__proto__":{"a":1},"b":{"__proto__":2}}');
});

Deno.test("Redactor.fields() drops what has an endless name", () => {
  assert.deepEqual(plainOf({ [`${"x".repeat(300)}`]: 1, a: { [`${"x".repeat(300)}`]: 1 } }), { a: {} });
});
