import assert from "node:assert/strict";
import fc from "fast-check";
import { LOG_LEVELS, LogFilterError, type LogLevel, parseLogFilter } from "../../../telemetry/mod.ts";
import { compareSpecificity, type Directive, type SpanFacts } from "../../../telemetry/log/log_directive.ts";
import { LogFilter } from "../../../telemetry/log/log_filter.ts";
import { parseDirectives } from "../../../telemetry/log/log_filter_parser.ts";

/** The gentlest level that is written for a target, or "off". */
function lowest(filter: string, target: string): LogLevel | "off" {
  const parsed = parseLogFilter(filter);
  const decision = parsed.forTarget(target, undefined);
  return LOG_LEVELS.find((_level, rank) => decision.admits(rank, undefined, undefined)) ?? "off";
}

const TABLE: readonly (readonly [filter: string, target: string, level: LogLevel | "off"])[] = [
  ["info", "any", "info"],
  ["WARN", "any", "warn"],
  ["off", "any", "off"],
  ["trace", "any", "trace"],
  ["tensor_wasm_exec=debug,wasmtime=warn,info", "tensor_wasm_exec", "debug"],
  ["tensor_wasm_exec=debug,wasmtime=warn,info", "wasmtime", "warn"],
  ["tensor_wasm_exec=debug,wasmtime=warn,info", "other", "info"],
  ["info,a=debug", "a::b", "debug"],
  ["info,a=debug", "a.b", "debug"],
  ["info,a=debug", "ab", "info"],
  ["info,a=debug", "a:b", "info"],
  ["info,a=debug", "b::a", "info"],
  ["info,a=debug,a::b=error", "a::b::c", "error"],
  ["info,a::b=error,a=debug", "a::b::c", "error"],
  ["info,a=debug,a=error", "a", "error"],
  ["debug,info", "a", "info"],
  ["a=debug", "b", "off"],
  ["a", "a", "trace"],
  ["a", "b", "off"],
  ["info,a=off", "a", "off"],
  ["tensor_wasm_exec=debug,info", "tensor-wasm-exec", "debug"],
  ["tower-http=off,info", "tower_http", "off"],
  [" info , a = debug ,", "a", "debug"],
  ["0", "any", "off"],
  ["1", "any", "error"],
  ["3", "any", "info"],
  ["5", "any", "trace"],
  ["info,a=4", "a", "debug"],
  ["info,a=DeBuG", "a", "debug"],
  ["info,info=debug", "info", "debug"],
  ["warn,tower-http", "tower_http", "trace"],
];

for (const [filter, target, level] of TABLE) {
  Deno.test(`parseLogFilter() ${JSON.stringify(filter)} writes ${target} from ${level}`, () => {
    assert.equal(lowest(filter, target), level);
  });
}

const BAD: readonly (readonly [filter: string, what: RegExp, caretAt: number])[] = [
  ["info,a=loud", /Unknown level "loud"/, 7],
  ["a=", /Unknown level ""/, 2],
  ["a=6", /Unknown level "6"/, 2],
  ["a=warning", /Unknown level "warning"/, 2],
  ["=info", /Expected a level, a target or a span/, 0],
  ["info, b@d", /Expected a comma/, 7],
  ["info a", /Expected a comma/, 5],
  ["a b=debug", /Expected a comma/, 2],
  ["[x", /The "\[" is not closed/, 0],
  ["info,a[x{y=1", /The "{" is not closed/, 8],
  ["[x{y=1}", /The "\[" is not closed/, 0],
  ["[x{y=1]", /The "{" is not closed/, 2],
  ["[]=info", /Expected a span's name/, 1],
  ["[{}]=info", /Expected a field's name/, 2],
  ["[x{a,}]", /Expected a field's name/, 5],
  ["[x{=1}]", /Expected a field's name/, 3],
  ["[x{a=}]", /Expected a value after =/, 5],
  ["[x{a=,b}]", /Expected a value after =/, 5],
  ['[x{a="b}]', /The quote is not closed/, 5],
  ['[x{a="b"c}]', /Expected "," or "}"/, 8],
  ['["x"y]', /Expected "\]"/, 4],
  ["[x{a=(b}]", /Not a regular expression: missing closing \)/, 5],
  ["[x{a=*}]", /Not a regular expression: missing argument/, 5],
  ["[x{a=(b)\\1}]", /Not a regular expression: invalid escape/, 5],
  ["[x]=loud", /Unknown level "loud"/, 4],
  ["[x]y=info", /Expected a comma/, 3],
  ["", /The log filter is empty/, 0],
  [",,", /The log filter is empty/, 0],
];

for (const [filter, what, caretAt] of BAD) {
  Deno.test(`parseLogFilter() refuses ${JSON.stringify(filter)} and shows the place`, () => {
    assert.throws(() => parseLogFilter(filter), (error) => {
      assert.ok(error instanceof LogFilterError);
      const [first, shown, caret] = error.message.split("\n");
      assert.match(first ?? "", what);
      assert.equal(shown, `  ${filter}`);
      assert.equal(caret, `  ${" ".repeat(caretAt)}^`);
      return true;
    });
  });
}

Deno.test("parseLogFilter() shows a filter with control characters without them", () => {
  assert.throws(() => parseLogFilter("a\u001b[31m"), (error) => !(error as Error).message.includes("\u001b"));
});

Deno.test("parseLogFilter() bounds the filter's length", () => {
  assert.throws(() => parseLogFilter("a,".repeat(10_000)), /has 20000 characters, the most are 16384/);
});

/** A span for a filter to look at. */
function aSpan(name: string, attributes: Readonly<Record<string, string | number | boolean>>): SpanFacts {
  return { name, target: "scope", attribute: (wanted) => attributes[wanted] };
}

const CHAIN = [
  aSpan("inner", { tenant: "acme", n: 5, ok: true }),
  aSpan("http.request", { uri: "/functions/a/invoke", tenant: "7", text: 'a,b} "c"' }),
];

/** The gentlest level that is written within CHAIN. */
function lowestWithin(filter: string, fields = {}): LogLevel | "off" {
  const decision = parseLogFilter(filter).forTarget("t", { chain: () => CHAIN });
  return LOG_LEVELS.find((_level, rank) => decision.admits(rank, fields, undefined)) ?? "off";
}

const WITHIN: readonly (readonly [filter: string, level: LogLevel | "off"])[] = [
  ["info,[inner]=debug", "debug"],
  ["info,[inner]", "trace"],
  ["info,[http.request]=debug", "debug"],
  ["info,[other]=debug", "info"],
  ["info,scope[inner]=debug", "debug"],
  ["info,sco[inner]=debug", "info"],
  ["info,t[inner]=debug", "info"],
  ["[inner]=warn", "warn"],
  ["info,[inner]=error", "info"],
  ["info,[inner]=off", "info"],
  ["info,[{tenant}]=debug", "debug"],
  ["info,[{tenant,n}]=debug", "debug"],
  ["info,[{tenant,x}]=debug", "info"],
  ["info,[inner{tenant=acme}]=debug", "debug"],
  ["info,[inner{tenant=ac}]=debug", "info"],
  ["info,[inner{tenant=ac.*}]=debug", "debug"],
  ["info,[inner{tenant=(x|acme)}]=debug", "debug"],
  ["info,[inner{tenant=[a-c]{2}me}]=debug", "debug"],
  ["info,[inner{tenant=[,}\\]a]{1,4}.*}]=debug", "debug"],
  ['info,[inner{tenant="acme"}]=debug', "debug"],
  ['info,[inner{tenant="ac.*"}]=debug', "info"],
  ["info,[inner{n=5}]=debug", "debug"],
  ["info,[inner{n=5.0}]=debug", "debug"],
  ["info,[inner{n=50}]=debug", "info"],
  ["info,[inner{ok=true}]=debug", "debug"],
  ["info,[inner{ok=false}]=debug", "info"],
  ["info,[{tenant=7}]=debug", "debug"],
  ["info,[inner{tenant=7}]=debug", "info"],
  ["info,[{uri=/functions/.*/invoke}]=debug", "debug"],
  ['info,[{text="a,b} \\"c\\""}]=debug', "debug"],
  [" info , [ inner { tenant = acme , n = 5 } ] = debug , ", "debug"],
  ['info,["inner"]=debug', "debug"],
  ["info,[inner{tenant=acme}]=warn,[inner]=trace", "info"],
  ["info,[inner]=trace,[http.request]=off", "trace"],
];

for (const [filter, level] of WITHIN) {
  Deno.test(`parseLogFilter() ${filter} writes from ${level} within its spans`, () => {
    assert.equal(lowestWithin(filter), level);
  });
}

Deno.test("parseLogFilter() [{field}] decides for events with that field", () => {
  const decision = parseLogFilter("info,[{job}]=debug,[{job,quiet}]=error").forTarget("t", undefined);
  assert.equal(decision.admits(1, { job: 1 }, undefined), true);
  assert.equal(decision.admits(1, { other: 1 }, undefined), false);
  assert.equal(decision.admits(3, { job: 1, quiet: true }, undefined), false);
  assert.equal(decision.mayAdmit(1, undefined), true);
  assert.equal(decision.mayAdmit(0, undefined), false);
});

Deno.test("parseLogFilter() [{field}]: a longer target is more specific than a field", () => {
  const decision = parseLogFilter("info,[{job}]=debug,t=warn").forTarget("t", undefined);
  assert.equal(decision.admits(2, { job: 1 }, undefined), false);
});

Deno.test("a pattern is tried in time that grows with the text only", () => {
  const [directive] = parseDirectives("[x{a=(a+)+b}]");
  const match = directive?.fields[0]?.value;
  assert.equal(match?.type === "pattern" && match.matches("a".repeat(4000)), false);
});

const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,3}$/).filter((word) =>
  !["off", "info", "warn"].includes(word)
);
const target = fc.array(name, { maxLength: 3 }).map((parts) => parts.join("::"));
const value = fc.oneof(
  fc.constant(undefined),
  fc.boolean().map((value) => ({ type: "boolean" as const, value })),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({
    type: "number" as const,
    value: value + 0,
  })),
  fc.string({ unit: "grapheme", maxLength: 6 }).map((value) => ({ type: "text" as const, value })),
  fc.stringMatching(/^[a-c]{1,3}([.][*]|[+]|(\[[a-c,}]{1,3}\])|(\([a-c]\|[a-c]{1,2}\))|(\{1,3\}))?$/).filter((
    source,
  ) => source !== "true" && source !== "false").map((source) => ({
    type: "pattern" as const,
    source,
    matches: (): boolean => false,
  })),
);
const directive: fc.Arbitrary<Directive> = fc.record({
  target,
  span: fc.option(fc.oneof(name, fc.constantFrom("a::b", "cli run", 'x]{"')), { nil: undefined }),
  fields: fc.array(fc.record({ name, value }), { maxLength: 3 }),
  rank: fc.integer({ min: 0, max: 5 }),
});

/** A filter's directives without what cannot be compared. */
function comparable(directives: readonly Directive[]): unknown {
  return JSON.parse(JSON.stringify(directives));
}

Deno.test("parseDirectives() reads back what a filter prints", () => {
  fc.assert(
    fc.property(fc.array(directive, { minLength: 1, maxLength: 5 }), (directives) => {
      const text = new LogFilter(directives).toString();
      const parsed = parseDirectives(text);
      assert.equal(new LogFilter(parsed).toString(), text);
      const [first] = directives;
      if (first === undefined) return;
      assert.deepEqual(comparable(parseDirectives(new LogFilter([first]).toString())), comparable([first]));
    }),
    { numRuns: 500 },
  );
});

Deno.test("parseDirectives() answers any text with directives or an error with a place", () => {
  const piece = fc.constantFrom(...'[]{}=,"\\ ax.*5-:'.split(""), "info", "off", "t=", "[s{f=v}]");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      try {
        const printed = parseLogFilter(text).toString();
        assert.equal(parseLogFilter(printed).toString(), printed);
      } catch (error) {
        assert.ok(error instanceof LogFilterError, `${text}: ${error}`);
        const caret = error.message.split("\n").at(-1)?.indexOf("^") ?? -1;
        assert.ok(caret >= 2 && caret <= text.length + 2, error.message);
      }
    }),
    { numRuns: 2000 },
  );
});

/** What the documentation says, word by word: no preparation, no order but the sort. */
function naively(
  directives: readonly Directive[],
  event: { target: string; fields: Readonly<Record<string, unknown>>; rank: number },
  chain: readonly SpanFacts[],
): boolean {
  const last = directives.filter((one, index) =>
    !directives.slice(index + 1).some((later) =>
      JSON.stringify({ ...later, rank: 0 }) === JSON.stringify({ ...one, rank: 0 })
    )
  ).toSorted(compareSpecificity);
  const isCovered = (prefix: string, whole: string): boolean =>
    `${whole}::`.startsWith(prefix && `${prefix}::`);
  const decides = last.find((one) =>
    one.span === undefined && one.fields.every((field) =>
      field.value === undefined && field.name in event.fields
    ) &&
    isCovered(one.target, event.target)
  );
  if (decides !== undefined && event.rank >= decides.rank) return true;
  return chain.some((span) => {
    const first = last.filter((one) => one.span !== undefined || one.fields.length > 0).find((one) =>
      isCovered(one.target, span.target) && (one.span === undefined || one.span === span.name) &&
      one.fields.every((field) => {
        const value = span.attribute(field.name);
        if (value === undefined || field.value === undefined) return value !== undefined;
        if (field.value.type === "pattern") {
          return new RegExp(`^(?:${field.value.source})$`).test(String(value));
        }
        return String(value) === String(field.value.value);
      })
    );
    return first !== undefined && event.rank >= first.rank;
  });
}

Deno.test("a filter decides as a naive reading of its directives does", () => {
  const word = fc.constantFrom("a", "b", "c");
  const smallValue = fc.constantFrom("", "=1", "=true", '="x"', "=x", "=[a-x]+", "=.*");
  const smallTarget = fc.constantFrom("", "a", "a::b", "b", "a::b::c");
  const smallSpan = fc.oneof(
    fc.constant(""),
    fc.tuple(fc.constantFrom("", "a", "b"), fc.array(fc.tuple(word, smallValue), { maxLength: 2 }))
      .map(([span, fields]) => {
        const list = fields.map((field) => field.join("")).join(",");
        return span === "" && list === "" ? "" : `[${span}${list === "" ? "" : `{${list}}`}]`;
      }),
  );
  const level = fc.constantFrom("off", "error", "warn", "info", "debug", "trace");
  const text = fc.array(
    fc.tuple(smallTarget, smallSpan, level).map(([where, span, level]) =>
      where + span === "" ? level : `${where}${span}=${level}`
    ),
    { minLength: 1, maxLength: 6 },
  ).map((parts) => parts.join(","));
  const attributes = fc.dictionary(word, fc.constantFrom<string | number | boolean>(1, true, "x", "ab", "1"));
  const span = fc.record({ name: word, target: smallTarget.filter((where) => where !== ""), attributes }).map(
    ({ name, target, attributes }): SpanFacts => ({
      name,
      target,
      attribute: (wanted) => attributes[wanted],
    }),
  );
  const event = fc.record({
    target: smallTarget.filter((where) => where !== ""),
    fields: attributes,
    rank: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(text, event, fc.array(span, { maxLength: 3 }), (text, event, chain) => {
      const decision = parseLogFilter(text).forTarget(event.target, { chain: () => chain });
      const expected = naively(parseDirectives(text), event, chain);
      assert.equal(decision.admits(event.rank, event.fields, undefined), expected, text);
      if (expected) assert.equal(decision.mayAdmit(event.rank, undefined), true);
    }),
    { numRuns: 3000 },
  );
});
