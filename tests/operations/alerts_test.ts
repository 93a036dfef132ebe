/**
 * docs/alerts: the rules are taken by Prometheus' own tools, each alert has tests on both sides of its threshold, a
 * runbook, and nothing but metrics that exist.
 */
import assert from "node:assert/strict";
import { HAS_PROMETHEUS, promtool } from "../support/prometheus.ts";
import { ALERT_FILES, alertsOf, docsPath, metricNamesIn, readDoc, recordedNames } from "./documents.ts";
import { METRICS } from "../../telemetry/mod.ts";

const TESTS = ["slo_test.yaml", "slo_days_test.yaml", "parts_test.yaml"];

Deno.test({
  name: "alerts: promtool takes the rules",
  ignore: !HAS_PROMETHEUS,
  fn: async () => {
    const { code, text } = await promtool(["check", "rules", ...ALERT_FILES.map((file) => docsPath(file))]);
    assert.equal(code, 0, text);
  },
});

for (const file of TESTS) {
  Deno.test({
    name: `alerts: promtool's unit tests of ${file} pass`,
    ignore: !HAS_PROMETHEUS,
    fn: async () => {
      const { code, text } = await promtool(["test", "rules", docsPath(`alerts/tests/${file}`)]);
      assert.equal(code, 0, text);
    },
  });
}

Deno.test("alerts: each has a test in which it fires and one in which it does not", async () => {
  const tests = (await Promise.all(TESTS.map((file) => readDoc(`alerts/tests/${file}`)))).join("\n");
  for (const { name } of await alertsOf()) {
    const cases = tests.split("\n  # ").filter((text) => text.includes(`{alertname="${name}"`));
    assert.ok(cases.some((text) => /value: 1\b/.test(text)), `${name} fires in a test`);
    assert.ok(cases.some((text) => text.includes("exp_samples: []")), `${name} is quiet in a test`);
  }
});

Deno.test("alerts: each has a severity, a summary, a description, and a runbook that is there", async () => {
  const alerts = await alertsOf();
  assert.ok(alerts.length > 20);
  for (const { name, text } of alerts) {
    assert.match(text, /severity: (page|ticket)$/m, name);
    assert.match(text, /summary: "\S.+"$/m, name);
    assert.match(text, /description: >-\n\s+\S/, name);
    const [, runbook] = /runbook_url: (docs\/runbooks\/[\w-]+\.md)$/m.exec(text) ?? [];
    assert.ok(runbook !== undefined, `${name} has a runbook`);
    const page = await readDoc(runbook.slice("docs/".length));
    assert.ok(page.includes(`\`${name}\``), `${runbook} says that it is of ${name}`);
  }
});

Deno.test("alerts: the metrics of their expressions exist", async () => {
  const recorded = await recordedNames();
  for (const file of ALERT_FILES) {
    for (const name of metricNamesIn(await readDoc(file))) {
      const isKnown = Object.hasOwn(METRICS, name) || recorded.has(name) || name === "up";
      assert.ok(isKnown, `${file}: ${name}`);
    }
  }
});
