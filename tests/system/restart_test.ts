/**
 * Starting and starting again: what survives a restart, and every start that must be refused with one clear line.
 */
import assert from "node:assert/strict";
import { assertProblem } from "../flow/problem.ts";
import { TestGateway } from "../support/gateway.ts";
import { readGuest } from "../support/guests.ts";
import { runProgram } from "./program.ts";

async function listFunctions(gateway: TestGateway, tenant: string): Promise<unknown> {
  const headers = { "x-tensorwasm-tenant": tenant };
  return await (await fetch(`${gateway.url}/functions`, { headers })).json();
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("functions, versions, tenants and idempotency keys survive a restart", async () => {
  await withFolder(async (dataFolder) => {
    const keyed = { "x-tensorwasm-tenant": "1", "idempotency-key": "first" };
    const other = { "x-tensorwasm-tenant": "2" };
    const before: unknown[] = [];
    let id = "";
    {
      await using gateway = await TestGateway.start({ dataFolder });
      ({ id } = await gateway.deploy("sums", readGuest("add"), keyed));
      await gateway.deploy("sums", readGuest("fib"), { "x-tensorwasm-tenant": "1" });
      await gateway.deploy("word_freq", undefined, other);
      const gone = await gateway.deploy("gone", readGuest("noop"), other);
      await fetch(`${gateway.url}/functions/${gone.id}`, { method: "DELETE", headers: other });
      for (const tenant of ["0", "1", "2"]) before.push(await listFunctions(gateway, tenant));
    }
    await using gateway = await TestGateway.start({ dataFolder });
    const after: unknown[] = [];
    for (const tenant of ["0", "1", "2"]) after.push(await listFunctions(gateway, tenant));
    assert.deepEqual(after, before);
    assert.equal((await gateway.deploy("sums", readGuest("add"), keyed)).id, id);
    const old = await gateway.invoke("sums@1", { export: "add", args: [2, 3] }, {
      "x-tensorwasm-tenant": "1",
    });
    assert.deepEqual(await old.json(), { function_id: id, result: [5] });
    const newest = await gateway.invoke("sums", { export: "fib", args: [7] }, { "x-tensorwasm-tenant": "1" });
    assert.deepEqual((await newest.json()).result, [13]);
    const words = await gateway.invoke("word_freq", { input: "b a b" }, other);
    assert.equal(await words.text(), "2\tb\n1\ta\n");
    assert.equal((await gateway.invoke("gone", {}, other)).status, 404);
  });
});

Deno.test("a second gateway on the same folder is refused, and the first serves on", async () => {
  await using gateway = await TestGateway.start();
  await gateway.deploy("add");
  const second = await runProgram(["serve", "--addr", "127.0.0.1:0", "--data", gateway.dataFolder]);
  assert.deepEqual([second.code, second.stdout], [1, ""]);
  const { dataFolder, pid } = gateway;
  assert.equal(
    second.stderr,
    `error: Data folder ${dataFolder} is in use by another gateway, process ${pid}. ` +
      "Stop that one, or start on another folder (--data)\n",
  );
  const response = await gateway.invoke("add", { export: "add", args: [1, 2] });
  assert.deepEqual((await response.json()).result, [3]);
});

Deno.test("a port in use is named", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await withFolder(async (folder) => {
    const address = `127.0.0.1:${listener.addr.port}`;
    const run = await runProgram(["serve", "--addr", address, "--data", folder]);
    assert.equal(run.code, 1);
    assert.doesNotMatch(run.stdout, /listening/);
    assert.match(
      run.stderr,
      new RegExp(`^error: .*${address}.*in use; --addr takes another, port 0 any free one\\n$`),
    );
  });
});

Deno.test("a data folder that is a file, or whose database is damaged, is refused with one line", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const file = await runProgram(["serve", "--addr", "127.0.0.1:0", "--data", `${folder}/file`]);
    assert.deepEqual([file.code, file.stdout], [1, ""]);
    assert.match(file.stderr, /^error: Data folder \S+\/file cannot be opened: [^\n]+\n$/);

    await Deno.mkdir(`${folder}/damaged`);
    await Deno.writeFile(`${folder}/damaged/records.sqlite`, new Uint8Array(8192).fill(0x5a));
    const damaged = await runProgram(["serve", "--addr", "127.0.0.1:0", "--data", `${folder}/damaged`]);
    assert.deepEqual([damaged.code, damaged.stdout], [1, ""]);
    assert.match(damaged.stderr, /^error: \S[^\n]* \S+\/damaged\S* cannot be opened: [^\n]+\n$/);
  });
});

/** Starts that are refused before anything is touched: one for each way; the rest is tests/runtime/config_test.ts's. */
interface BadStart {
  readonly what: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly message: RegExp;
}

const BAD_STARTS: readonly BadStart[] = [
  { what: "an unknown command", args: ["swerve"], message: /^Unknown command "swerve"; see --help$/ },
  {
    what: "an unknown flag",
    args: ["serve", "--adr", "127.0.0.1:0"],
    message: /^Unknown option --adr; did you mean --addr\?; see serve --help$/,
  },
  { what: "a flag without its value", args: ["serve", "--data"], message: /--data/ },
  {
    what: "a word that is no flag",
    args: ["serve", "now"],
    message: /^Unexpected argument "now": serve takes options only; see serve --help$/,
  },
  {
    what: "a number with a unit",
    args: ["serve", "--deadline-ms", "30s"],
    message: /--deadline-ms: .* got "30s"$/,
  },
  {
    what: "a bad variable",
    env: { TENSOR_WASM_BODY_BYTES_MAX: "-1" },
    message: /^Bad variable TENSOR_WASM_BODY_BYTES_MAX: .* got "-1"$/,
  },
  {
    what: "an endpoint with a password, which is not repeated",
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://me:hunter2@localhost:4318" },
    message: /^OTEL_EXPORTER_OTLP_ENDPOINT has credentials in it, (?!.*hunter2)/,
  },
  { what: "Deno's own tracing", env: { OTEL_DENO: "true" }, message: /^OTEL_DENO is set: / },
  {
    what: "a public address",
    args: ["serve", "--addr", "0.0.0.0:0"],
    message: /^Refusing to listen on 0\.0\.0\.0: /,
  },
  {
    what: "a public address with the second consent only",
    args: ["serve", "--addr", "0.0.0.0:0"],
    env: { TENSOR_WASM_API_ALLOW_DEV_MODE: "1" },
    message: /^Refusing to listen /,
  },
];
for (const { what, args, env, message } of BAD_STARTS) {
  Deno.test(`${what} is refused with one line and exit code 2`, async () => {
    const run = await runProgram(args ?? ["serve", "--addr", "127.0.0.1:0"], env);
    assert.deepEqual([run.code, run.stdout], [2, ""], run.stderr);
    const [, line] = /^error: ([^\n]+)\n$/.exec(run.stderr) ?? [];
    assert.match(line ?? run.stderr, message);
  });
}

const BAD_FILES: readonly (readonly [what: string, content: string | undefined, message: RegExp])[] = [
  ["is not there", undefined, /^Cannot read configuration file \S+: /],
  ["is no JSON", "addr: 1", /^Cannot read configuration file \S+: /],
  ["is a list", "[]", /^Configuration file \S+ is not a JSON object$/],
  [
    "has an unknown setting",
    '{"addres":"127.0.0.1:0"}',
    /^Unknown file setting "addres" in \S+\/config\.json; did you mean addr\?$/,
  ],
];
for (const [what, content, message] of BAD_FILES) {
  Deno.test(`a configuration file that ${what} is refused with one line and exit code 2`, async () => {
    await withFolder(async (folder) => {
      const path = `${folder}/config.json`;
      if (content !== undefined) await Deno.writeTextFile(path, content);
      const run = await runProgram(["serve", "--addr", "127.0.0.1:0", "--config", path]);
      assert.deepEqual([run.code, run.stdout], [2, ""], run.stderr);
      const [, line] = /^error: ([^\n]+)\n$/.exec(run.stderr) ?? [];
      assert.match(line ?? run.stderr, message);
    });
  });
}

Deno.test("a bad log filter is refused with a mark under the place", async () => {
  const run = await runProgram(["serve", "--addr", "127.0.0.1:0"], { TENSOR_WASM_LOG: "info,api=loud" });
  assert.deepEqual([run.code, run.stdout], [2, ""]);
  const [first, shown = "", mark = ""] = run.stderr.split("\n");
  assert.match(first ?? "", /^error: .*"loud"/);
  assert.equal(shown.slice(mark.indexOf("^")), "loud");
});

for (const args of [["--help"], ["help"], [], ["serve", "--help"], ["serve", "--nonsense", "-h"]]) {
  Deno.test(`${JSON.stringify(args)} prints the help and exits with 0`, async () => {
    const run = await runProgram(args);
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    for (const word of ["usage:", "--addr", "TENSOR_WASM_ADDR", "--deadline-ms", "default 30000"]) {
      assert.ok(run.stdout.includes(word), word);
    }
  });
}

Deno.test("--version prints the version and exits with 0", async () => {
  const run = await runProgram(["--version"]);
  assert.deepEqual([run.code, run.stderr], [0, ""]);
  assert.match(run.stdout, /^tensor-wasm \d+\.\d+\.\d+\n$/);
});

Deno.test("a flag wins over a variable, a variable over the file", async () => {
  await withFolder(async (folder) => {
    const config = `${folder}/config.json`;
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        deadlineMs: 60_001,
        nameBytesMax: 11,
        argsCountMax: 1,
        cellsMin: 1,
        requireTenant: true,
      }),
    );
    await using gateway = await TestGateway.start({
      dataFolder: `${folder}/data`,
      flags: ["--config", config, "--deadline-ms", "60003"],
      env: { TENSOR_WASM_DEADLINE_MS: "60002", TENSOR_WASM_NAME_BYTES_MAX: "12" },
    });
    const tenant = { "x-tensorwasm-tenant": "0" };
    await gateway.deploy("add", undefined, tenant);
    const late = await gateway.invoke("add", {}, { ...tenant, "x-tensorwasm-deadline-ms": "65000" });
    const message = /deadlineMs is 60003, got 65000$/;
    await assertProblem(late, { status: 400, kind: "bad_request", message });
    const many = await gateway.invoke("add", { export: "add", args: [1, 2] }, tenant);
    await assertProblem(many, { status: 400, kind: "too_many_args", message: /argsCountMax is 1, got 2$/ });
    const long = fetch(`${gateway.url}/functions?name=${"n".repeat(13)}`, {
      method: "POST",
      headers: { "content-type": "application/wasm", ...tenant },
      body: readGuest("add"),
    });
    await assertProblem(await long, {
      status: 400,
      kind: "invalid_name",
      message: /nameBytesMax is 12, got 13$/,
    });
    await assertProblem(await gateway.invoke("add"), { status: 400, kind: "missing_tenant" });
  });
});

Deno.test("with both consents a public address is served", async () => {
  await using gateway = await TestGateway.start({
    flags: ["--addr", "0.0.0.0:0", "--allow-plaintext-public", "--allow-dev-mode"],
  });
  assert.match(gateway.url, /^http:\/\/0\.0\.0\.0:\d+$/);
  const response = await fetch(`${gateway.url.replace("0.0.0.0", "127.0.0.1")}/readyz`);
  assert.equal((await response.json()).status, "ready");
});

Deno.test("an IPv6 loopback address is printed as a URL that can be opened", async () => {
  await using gateway = await TestGateway.start({ flags: ["--addr", "[::1]:0"] });
  assert.match(gateway.url, /^http:\/\/\[::1\]:\d+$/);
  assert.equal((await (await fetch(`${gateway.url}/readyz`)).json()).status, "ready");
});
