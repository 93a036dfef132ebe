import assert from "node:assert/strict";
import type { FunctionRecord } from "../../../runtime/model/function_record.ts";
import { FunctionCache } from "../../../runtime/registry/function_cache.ts";
import type { RecordStore } from "../../../runtime/store/record_store.ts";
import { aFunction } from "../../contract/store_contract.ts";

const AMPLE = { countMax: 100, bytesMax: 1_000_000 };

/** Finders over a list that count how often they are asked. */
function countingRecords(list: readonly FunctionRecord[]): { records: RecordStore; reads: () => number } {
  let reads = 0;
  const finders: Pick<RecordStore, "findFunction" | "findFunctionByName"> = {
    findFunction(id): FunctionRecord | undefined {
      reads += 1;
      return list.find((record) => record.id === id);
    },
    findFunctionByName(tenant, name, version): FunctionRecord | undefined {
      reads += 1;
      return list.findLast((record) =>
        record.tenant === tenant && record.name === name && (version ?? record.version) === record.version
      );
    },
  };
  return { records: finders as RecordStore, reads: () => reads };
}

function aRecord(changes: Partial<FunctionRecord> = {}): FunctionRecord {
  return { ...aFunction(), version: 1, ...changes };
}

Deno.test("FunctionCache reads the store once for each id, name and version", () => {
  const record = aRecord();
  const { records, reads } = countingRecords([record]);
  const cache = new FunctionCache(records, AMPLE);
  for (const _round of [1, 2, 3]) {
    assert.equal(cache.findFunction(record.id), record);
    assert.equal(cache.findFunctionByName("acme", "resize"), record);
    assert.equal(cache.findFunctionByName("acme", "resize", 1), record);
  }
  assert.equal(reads(), 3);
});

Deno.test("FunctionCache remembers no absence", () => {
  const list: FunctionRecord[] = [];
  const cache = new FunctionCache(countingRecords(list).records, AMPLE);
  assert.equal(cache.findFunctionByName("acme", "resize"), undefined);
  const record = aRecord();
  list.push(record);
  assert.equal(cache.findFunctionByName("acme", "resize"), record);
});

Deno.test("FunctionCache.forget() drops the id, the version and the latest", () => {
  const list = [aRecord()];
  const cache = new FunctionCache(countingRecords(list).records, AMPLE);
  const [record] = list;
  assert.ok(record !== undefined);
  cache.findFunction(record.id);
  cache.findFunctionByName("acme", "resize");
  cache.findFunctionByName("acme", "resize", 1);
  list.pop();
  cache.forget(record);
  assert.equal(cache.findFunction(record.id), undefined);
  assert.equal(cache.findFunctionByName("acme", "resize"), undefined);
  assert.equal(cache.findFunctionByName("acme", "resize", 1), undefined);
});

Deno.test("FunctionCache keeps exactly its count in each index", () => {
  const list = ["a", "b", "c"].map((name) => aRecord({ name }));
  const { records, reads } = countingRecords(list);
  const cache = new FunctionCache(records, { ...AMPLE, countMax: 2 });
  const [a, b, c] = list.map(({ id }) => id);
  for (const id of [a, b, b, a, c, a, b]) cache.findFunction(id ?? "");
  // a, b and c are read once; a was used after b, so c took b's place.
  assert.equal(reads(), 4);
});

Deno.test("FunctionCache does not keep facts beyond its bytes", () => {
  const exports = Array.from({ length: 1000 }, (_, index) => ({ name: `e${index}`, kind: "func" as const }));
  const big = aRecord({ facts: { ...aFunction().facts, exports } });
  const { records, reads } = countingRecords([big]);
  const cache = new FunctionCache(records, { ...AMPLE, bytesMax: 100_000 });
  cache.findFunction(big.id);
  cache.findFunction(big.id);
  assert.equal(reads(), 2);
});

Deno.test("FunctionCache never takes one tenant's name for another's", () => {
  const list = [
    aRecord({ tenant: "a", name: "1@b", version: 1 }),
    aRecord({ tenant: "a1", name: "b", version: 1 }),
    aRecord({ tenant: "a", name: "b", version: 1 }),
    aRecord({ tenant: "1:a", name: "@b", version: 1 }),
  ];
  const cache = new FunctionCache(countingRecords(list).records, AMPLE);
  for (const _round of [1, 2]) {
    for (const record of list) {
      assert.equal(cache.findFunctionByName(record.tenant, record.name), record);
      assert.equal(cache.findFunctionByName(record.tenant, record.name, 1), record);
    }
  }
});
