/**
 * Every event that the code logs is in the table of docs/observability.md, and every event of the table is logged.
 */
import assert from "node:assert/strict";

const ROOT = new URL("../../../", import.meta.url);

/** A call of a logger: `log.info("…"`, `log[level]("…"`, `telemetry.log("t").warn("…"`, `processLogger(t).error("…"`. */
const CALL =
  /(?:\b\w*[lL]og|#log|\w*[lL]og(?:ger)?\([^()]*\))\s*(?:\.(?:trace|debug|info|warn|error)|\[(?:[^\][]|\[[^\]]*\])*\])\s*\(\s*(["`])([^"`]+)\1/g;
/** Events whose name is handed to somebody who logs them, and those of the log itself. */
const HANDED = /\bnew DropReport\(\s*\w+,\s*(["`])([^"`]+)\1|\bmakeHead\([^()]*(")([a-z_.]+)"\)/g;

async function* sources(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* sources(url);
    else if (entry.name.endsWith(".ts")) yield url;
  }
}

/** The names that are logged; a template's placeholder stands for one word. */
async function loggedEvents(): Promise<Map<string, RegExp>> {
  const events = new Map<string, RegExp>();
  for (const folder of ["telemetry/", "gpu/", "runtime/"]) {
    for await (const url of sources(new URL(folder, ROOT))) {
      const text = await Deno.readTextFile(url);
      for (const match of [...text.matchAll(CALL), ...text.matchAll(HANDED)]) {
        const name = match[2] ?? match[4] ?? "";
        if (!/^[a-z]+\.[a-z_.${}A-Z]+$/.test(name)) continue;
        const pattern = name.replaceAll(".", "\\.").replaceAll(/\$\{[^}]*\}/g, "[a-z]+");
        events.set(name, new RegExp(`^${pattern}$`));
      }
    }
  }
  return events;
}

async function documentedEvents(): Promise<string[]> {
  const page = await Deno.readTextFile(new URL("docs/observability.md", ROOT));
  const table = /<!-- events -->(.*)<!-- \/events -->/s.exec(page)?.[1] ?? "";
  return [...table.matchAll(/^\| `([a-z_.]+)`/gm)].map((match) => match[1] ?? "");
}

Deno.test("the scan finds events in every form that the code has", async () => {
  const events = await loggedEvents();
  const forms = [
    "request.received",
    "request.failed",
    "guest.lines_dropped",
    "log.lines_dropped",
    "log.reopened",
  ];
  for (const name of forms) assert.ok(events.has(name), name);
  const guests = [...events.values()].filter((pattern) => pattern.test("guest.stdout"));
  assert.equal(guests.length, 1);
});

Deno.test("every event that is logged is documented", async () => {
  const documented = await documentedEvents();
  const missing = [...await loggedEvents()].filter(([, pattern]) =>
    !documented.some((name) => pattern.test(name))
  ).map(([name]) => name);
  assert.deepEqual(missing, [], "add them to the table of events in docs/observability.md");
});

Deno.test("every event that is documented is logged, and once in the table", async () => {
  const patterns = [...(await loggedEvents()).values()];
  const documented = await documentedEvents();
  assert.deepEqual(documented.filter((name) => !patterns.some((pattern) => pattern.test(name))), []);
  assert.equal(new Set(documented).size, documented.length);
});
