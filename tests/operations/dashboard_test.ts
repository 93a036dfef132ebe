/**
 * docs/dashboards: every query of the dashboard parses, names metrics and labels that a gateway's `/metrics` has after
 * some calls, and is evaluated by a Prometheus that scrapes it; so are the recording rules and the alerts.
 */
import assert from "node:assert/strict";
import { type MetricName, METRICS } from "../../telemetry/mod.ts";
import { parsePrometheusText } from "../flow/prometheus_text.ts";
import { TestGateway } from "../support/gateway.ts";
import { HAS_PROMETHEUS, PrometheusServer } from "../support/prometheus.ts";
import { ALERT_FILES, DASHBOARD, docsPath, metricNamesIn, readDoc } from "./documents.ts";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const dashboard: Dashboard = JSON.parse(await readDoc(DASHBOARD));
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ title, expr }))
);

/** What a scrape adds, and what only histograms' samples have. */
const OTHER_LABELS = ["job", "instance", "le"];

let gateway: TestGateway;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({ flags: ["--cells-min", "1", "--cells-max", "1"] });
  for (const guest of ["add", "trap_unreachable", "gpu_matmul"]) await gateway.deploy(guest);
  for (let call = 0; call < 5; call++) {
    await (await gateway.invoke("add", { export: "add", args: [1, 2] })).body?.cancel();
  }
  await (await gateway.invoke("trap_unreachable", { export: "run" })).body?.cancel();
  await (await gateway.invoke("gpu_matmul", { argv: ["tiled", "16"] })).body?.cancel();
  await (await fetch(`${gateway.url}/healthz`)).body?.cancel();
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

Deno.test("dashboard: panels have ids of their own and queries, and the variables are there", () => {
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const panel of dashboard.panels) {
    if (panel.type !== "row") assert.ok((panel.targets ?? []).length > 0, panel.title);
  }
  assert.deepEqual(dashboard.templating.list.map(({ name }) => name), ["datasource", "tenant", "route"]);
});

Deno.test("dashboard: every metric that a query names has series after some calls", async () => {
  const families = parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
  const variables = dashboard.templating.list.map(({ name, definition = "" }) => ({
    title: name,
    expr: definition,
  }));
  for (const { title, expr } of [...queries, ...variables.slice(1)]) {
    const names = metricNamesIn(expr);
    assert.ok(names.size > 0, title);
    for (const name of names) {
      const isThere = (families.get(name)?.samples.length ?? 0) > 0;
      assert.ok(
        isThere || (Object.hasOwn(METRICS, name) && "mayBeAbsent" in METRICS[name as MetricName]),
        `${title}: ${name} is in /metrics`,
      );
    }
  }
});

Deno.test("dashboard: every label that a query matches or groups by is one of its metrics'", async () => {
  const texts = [
    ...queries.map(({ title, expr }) => ({ title, expr })),
    ...await Promise.all(ALERT_FILES.map(async (file) => ({ title: file, expr: await readDoc(file) }))),
  ];
  for (const { title, expr } of texts) {
    for (const [, sample = "", matchers = ""] of expr.matchAll(/\b(\w+)\{([^}]*)\}/g)) {
      const [name] = metricNamesIn(sample);
      if (name === undefined || !Object.hasOwn(METRICS, name)) continue;
      const known: readonly string[] = METRICS[name as MetricName].labels;
      for (const [, label = ""] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
        assert.ok(known.includes(label) || OTHER_LABELS.includes(label), `${title}: ${name} has ${label}`);
      }
    }
    const grouped = [...metricNamesIn(expr)].filter((name) => Object.hasOwn(METRICS, name))
      .flatMap((name): readonly string[] => METRICS[name as MetricName].labels);
    for (const [, list = ""] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of list.split(",").map((text) => text.trim())) {
        assert.ok(grouped.includes(label) || OTHER_LABELS.includes(label), `${title}: by ${label}`);
      }
    }
  }
});

Deno.test({
  name: "dashboard and rules: a Prometheus that scrapes the gateway evaluates every expression",
  ignore: !HAS_PROMETHEUS,
  fn: async () => {
    const ruleFiles = ALERT_FILES.map((file) => docsPath(file));
    await using server = await PrometheusServer.start({ target: new URL(gateway.url).host, ruleFiles });
    await server.until("two scrapes", async () => {
      const [count] = await server.query("count_over_time(up[1m]) >= 2");
      return count;
    });
    let answered = 0;
    for (const { expr } of queries) {
      const series = await server.query(
        expr.replaceAll("$__rate_interval", "1m").replaceAll("$tenant", ".*").replaceAll("$route", ".*"),
      );
      if (series.length > 0) answered += 1;
    }
    // Those that show only what is above zero may be empty on a good day.
    assert.ok(answered > queries.length * 0.8, `${answered} of ${queries.length} queries give series`);
    const rules = await server.until("every rule evaluated", async () => {
      const all = await server.rules();
      return all.every(({ health }) => health !== "unknown") ? all : undefined;
    });
    assert.ok(rules.length > 40);
    for (const { name, health, lastError } of rules) assert.equal(health, "ok", `${name}: ${lastError}`);
  },
});
