/**
 * docs/runbooks: each page has the same sections, says what was tried, belongs to the alerts that name it, and names
 * only metrics, fault kinds and pages that exist.
 */
import assert from "node:assert/strict";
import { FAULTS } from "../../runtime/mod.ts";
import { METRICS } from "../../telemetry/mod.ts";
import { alertsOf, listDocs, metricNamesIn, readDoc, recordedNames } from "./documents.ts";

const SECTIONS = [
  "Meaning",
  "What users see",
  "First queries",
  "Mitigations, in this order",
  "Causes, likeliest first",
  "When to page",
  "Afterwards",
];

const pages = listDocs("runbooks", ".md").filter((name) => name !== "README.md");
/** Runbooks that people, not alerts, lead to. */
const OF_PEOPLE = ["lost-trace.md", "trace-id.md"];

Deno.test("runbooks: all have the same sections in the same order, and say what was tried", async () => {
  for (const page of pages) {
    const text = await readDoc(`runbooks/${page}`);
    assert.deepEqual([...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title), SECTIONS, page);
    assert.match(text, /^Tried: \S/m, page);
    assert.match(text, /^```sh$/m, `${page} has commands`);
  }
});

Deno.test("runbooks: each is of the alerts that name it, and of no others", async () => {
  const alerts = await alertsOf();
  for (const page of pages) {
    const [, list = ""] = /^Alerts: (.*)\.$/m.exec(await readDoc(`runbooks/${page}`)) ?? [];
    const named = [...list.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name).sort();
    const naming = alerts.filter(({ text }) => text.includes(`docs/runbooks/${page}`)).map(({ name }) => name)
      .sort();
    assert.deepEqual(named, naming, page);
    assert.equal(naming.length === 0, OF_PEOPLE.includes(page), page);
  }
});

Deno.test("runbooks: the metrics and kinds of errors that they name exist", async () => {
  const recorded = await recordedNames();
  for (const page of [...pages, "README.md"]) {
    const text = await readDoc(`runbooks/${page}`);
    for (const name of metricNamesIn(text)) {
      assert.ok(Object.hasOwn(METRICS, name) || recorded.has(name), `${page}: ${name}`);
    }
    for (const [, kinds = ""] of text.matchAll(/\bkind=~?"([\w|]+)"/g)) {
      for (const kind of kinds.split("|")) {
        const isShed = ["capacity", "tenant", "displaced"].includes(kind);
        assert.ok(Object.hasOwn(FAULTS, kind) || isShed, `${page}: kind ${kind}`);
      }
    }
    for (const [, series = ""] of text.matchAll(/traces_of '(\w+)/g)) {
      const suffix = series.replace(/_bucket$/, "");
      assert.ok(Object.keys(METRICS).some((name) => name.endsWith(suffix)), `${page}: ${series}`);
    }
  }
});

Deno.test("runbooks: what they link to is there, and the index has them all", async () => {
  const index = await readDoc("runbooks/README.md");
  for (const page of pages) assert.ok(index.includes(`(${page})`), `the index has ${page}`);
  for (const page of [...pages, "README.md"]) {
    for (const [, target = ""] of (await readDoc(`runbooks/${page}`)).matchAll(/\]\(([^)#]+)\)/g)) {
      await readDoc(`runbooks/${target}`);
    }
  }
});
