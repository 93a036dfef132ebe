/**
 * Junit: what a report of `deno test --junit-path` says of each test.
 *
 * Owns the few elements of the format that Deno writes. It reads no file. Invariant: a text that is no report has no
 * tests.
 */

/** A test of a report. */
export interface ReportedTest {
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
  /** What went wrong, in one line; "" unless it failed. */
  readonly message: string;
}

const CASE = /<testcase name="([^"]*)"[^>]*>([^]*?)<\/testcase>/g;
const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** The tests of a report, in their order. */
export function parseReport(text: string): readonly ReportedTest[] {
  return [...text.matchAll(CASE)].map(([, name = "", body = ""]) => {
    const [, failure] = /<(?:failure|error)[^>]*>([^]*?)<\/(?:failure|error)>/.exec(body) ?? [];
    const isSkipped = /<skipped/.test(body);
    return {
      name: unescape(name),
      result: failure !== undefined ? "failed" : isSkipped ? "skipped" : "passed",
      message: failure === undefined ? "" : oneLine(unescape(failure)),
    };
  });
}

/** Without the stack and the source. */
function oneLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const end = lines.findIndex((line) => line.startsWith("at ") || line === "^");
  return lines.slice(0, end < 0 ? undefined : end).filter((line) => line !== "").join(" ");
}

function unescape(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([a-z]+));/g,
    (entity, hex?: string, decimal?: string, name?: string) => {
      if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
      if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
      return ENTITIES[name ?? ""] ?? entity;
    },
  );
}
