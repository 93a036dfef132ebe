/**
 * Deploys that must work: at the same time, again, under odd names, and what removal leaves.
 */
import assert from "node:assert/strict";
import { type Deployed, TestGateway } from "../support/gateway.ts";
import { readGuest } from "../support/guests.ts";
import { padModule } from "./padded_module.ts";
import { assertProblem } from "./problem.ts";

const FUNCTIONS_PER_TENANT_MAX = 30;
const ADD = readGuest("add");

let gateway: TestGateway;
let tenantsCount = 0;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({
    flags: ["--functions-per-tenant-max", String(FUNCTIONS_PER_TENANT_MAX), "--cells-max", "2"],
  });
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

/** A tenant of one's own. */
function aTenant(): { readonly "x-tensorwasm-tenant": string } {
  return { "x-tensorwasm-tenant": String(++tenantsCount) };
}

async function blobs(): Promise<string[]> {
  const names: string[] = [];
  for await (const shard of Deno.readDir(`${gateway.dataFolder}/blobs`)) {
    for await (const blob of Deno.readDir(`${gateway.dataFolder}/blobs/${shard.name}`)) names.push(blob.name);
  }
  return names;
}

async function add(ref: string, headers: Record<string, string>): Promise<unknown> {
  const response = await gateway.invoke(ref, { export: "add", args: [20, 22] }, headers);
  return (await response.json()).result;
}

async function remove(ref: string, headers: Record<string, string>): Promise<number> {
  const response = await fetch(`${gateway.url}/functions/${ref}`, { method: "DELETE", headers });
  await response.body?.cancel();
  return response.status;
}

Deno.test("deploys of one name at the same time are versions without a gap", async () => {
  const tenant = aTenant();
  const deployed = await Promise.all(
    Array.from({ length: 20 }, (_, seed) => gateway.deploy("racing", padModule(ADD, 500, seed), tenant)),
  );
  const versions = deployed.map(({ version }) => version).sort((a, b) => a - b);
  assert.deepEqual(versions, Array.from({ length: 20 }, (_, index) => index + 1));
  for (const { version, id } of deployed) assert.deepEqual(await add(`racing@${version}`, tenant), [42], id);
});

Deno.test("one key, many requests at the same time: one function", async () => {
  const headers = { ...aTenant(), "idempotency-key": "once" };
  const deployed = await Promise.all(Array.from({ length: 10 }, () => gateway.deploy("keyed", ADD, headers)));
  assert.equal(new Set(deployed.map(({ id }) => id)).size, 1);
  const { functions } = await (await fetch(`${gateway.url}/functions`, { headers })).json();
  assert.equal(functions.length, 1);
});

Deno.test("JSON and raw deploys of the same bytes are one module", async () => {
  const tenant = aTenant();
  const bytes = padModule(ADD, 1000, 77);
  const raw = await gateway.deploy("raw", bytes, tenant);
  const response = await fetch(`${gateway.url}/functions`, {
    method: "POST",
    headers: { "content-type": "application/json; charset=utf-8", ...tenant },
    body: JSON.stringify({ name: "json", wasm_b64: bytes.toBase64() }),
  });
  const json: Deployed = await response.json();
  assert.equal(json.digest, raw.digest);
  assert.notEqual(json.id, raw.id);
  assert.equal((await blobs()).filter((digest) => digest === raw.digest).length, 1);
});

Deno.test("a module goes with the last function that has it, over all tenants", async () => {
  const [first, second] = [aTenant(), aTenant()];
  const bytes = padModule(ADD, 1000, 99);
  const one = await gateway.deploy("shared", bytes, first);
  const other = await gateway.deploy("shared", bytes, second);
  assert.equal(await remove(one.id, first), 204);
  assert.ok((await blobs()).includes(one.digest));
  assert.deepEqual(await add(other.id, second), [42]);
  assert.equal(await remove(other.id, second), 204);
  assert.ok(!(await blobs()).includes(one.digest));
});

Deno.test("after the newest version was removed, the name means the one before", async () => {
  const tenant = aTenant();
  const [first, second] = [
    await gateway.deploy("name", ADD, tenant),
    await gateway.deploy("name", readGuest("fib"), tenant),
  ];
  assert.equal(await remove("name", tenant), 204);
  assert.equal((await gateway.invoke(second.id, {}, tenant)).status, 404);
  assert.deepEqual(await add("name", tenant), [42]);
  assert.equal((await gateway.deploy("name", ADD, tenant)).version, 3, "a version is not given out twice");
  assert.deepEqual(await add(`name@${first.version}`, tenant), [42]);
});

Deno.test("a removal while the function is invoked fails cleanly or not at all", async () => {
  const tenant = aTenant();
  for (let round = 0; round < 5; round++) {
    const { id } = await gateway.deploy("going", padModule(ADD, 2000 + round, round), tenant);
    const calls = Array.from(
      { length: 8 },
      () => gateway.invoke(id, { export: "add", args: [1, 2] }, tenant),
    );
    const removed = remove(id, tenant);
    for (const response of await Promise.all(calls)) {
      if (response.status === 200) assert.deepEqual((await response.json()).result, [3]);
      else await assertProblem(response, { status: 404, kind: "not_found" });
    }
    assert.equal(await removed, 204);
  }
});

const NAMES = [
  "a b",
  "a/b",
  "ünïcödé 🦀",
  "100%",
  "q?x=1#y",
  "..a",
  "__proto__",
  "constructor",
  "%2e%2e",
  "a+b",
];
for (const odd of NAMES) {
  Deno.test(`a function may be called ${JSON.stringify(odd)}`, async () => {
    const tenant = aTenant();
    const { id, name } = await gateway.deploy(odd, ADD, tenant);
    assert.equal(name, odd);
    assert.deepEqual(await add(odd, tenant), [42]);
    assert.deepEqual(await add(`${odd}@1`, tenant), [42]);
    const response = await fetch(`${gateway.url}/functions/${encodeURIComponent(odd)}`, { headers: tenant });
    assert.equal((await response.json()).id, id);
  });
}

Deno.test("a tenant that is full is told so, and others are not", async () => {
  const tenant = aTenant();
  for (let index = 0; index < FUNCTIONS_PER_TENANT_MAX; index++) await gateway.deploy("many", ADD, tenant);
  const deploy = async (headers: Record<string, string>): Promise<Response> =>
    await fetch(`${gateway.url}/functions?name=more`, {
      method: "POST",
      headers: { "content-type": "application/wasm", ...headers },
      body: ADD,
    });
  await assertProblem(await deploy(tenant), {
    status: 429,
    kind: "tenant_capacity_exhausted",
    message: /functionsPerTenantMax is 30, got 31$/,
  });
  assert.equal((await deploy(aTenant())).status, 200);
  assert.equal(await remove("many", tenant), 204);
  assert.equal((await deploy(tenant)).status, 200);
});

Deno.test("a tenant is the same however its number is written", async () => {
  await gateway.deploy("numbered", ADD, { "x-tensorwasm-tenant": "00000000000000000900" });
  assert.deepEqual(await add("numbered", { "x-tensorwasm-tenant": "900" }), [42]);
  await gateway.deploy("largest", ADD, { "x-tensorwasm-tenant": "18446744073709551615" });
  assert.deepEqual(await add("largest", { "x-tensorwasm-tenant": "18446744073709551615" }), [42]);
});
