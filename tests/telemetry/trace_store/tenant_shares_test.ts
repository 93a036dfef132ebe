import assert from "node:assert/strict";
import fc from "fast-check";
import { levelOf, TenantShares } from "../../../telemetry/trace_store/tenant_shares.ts";

Deno.test("levelOf() cuts the largest to one level, so that exactly so much is left", () => {
  fc.assert(fc.property(
    fc.array(fc.nat(1000), { maxLength: 30 }),
    fc.integer({ min: -10, max: 20_000 }),
    (amounts, sumMax) => {
      const level = levelOf(Float64Array.from(amounts), sumMax);
      const sum = amounts.reduce((total, amount) => total + amount, 0);
      const left = amounts.reduce((total, amount) => total + Math.min(amount, level), 0);
      if (sum <= Math.max(0, sumMax)) assert.equal(left, sum);
      else assert.ok(Math.abs(left - Math.max(0, sumMax)) < 1e-6, `${left} of ${sumMax}`);
    },
  ));
});

Deno.test("TenantShares: a plan can always be carried out, and takes failed pieces last up to their part", () => {
  fc.assert(fc.property(
    fc.array(
      fc.record({ tenant: fc.nat(4), bytes: fc.integer({ min: 1, max: 100 }), isFailed: fc.boolean() }),
      {
        maxLength: 200,
      },
    ),
    fc.nat(6000),
    (pieces, keptMax) => {
      const shares = new TenantShares();
      const held = pieces.map((piece) => ({
        ...piece,
        share: shares.add(String(piece.tenant), piece.bytes, piece.isFailed),
      }));
      shares.plan("bytes", keptMax);
      const left = held.filter(({ share, bytes, isFailed }) => {
        if (!share.isToLose("bytes", isFailed)) return true;
        shares.remove(share, bytes, isFailed);
        return false;
      });
      assert.ok(shares.total("bytes") <= keptMax);
      assert.equal(shares.total("bytes"), left.reduce((sum, { bytes }) => sum + bytes, 0));
      assert.equal(shares.total("pieces"), left.length);
      for (const tenant of [0, 1, 2, 3, 4]) {
        const own = held.filter((piece) => piece.tenant === tenant);
        const failed = own.filter(({ isFailed }) => isFailed);
        const sumOf = (of: typeof own): number => of.reduce((sum, { bytes }) => sum + bytes, 0);
        const lost = own.filter((piece) => !left.includes(piece));
        if (lost.length === 0) continue;
        // Failed ones were lost only where they were more than a quarter of what the tenant may keep, a piece aside.
        const kept = sumOf(own.filter((piece) => left.includes(piece)));
        if (lost.some(({ isFailed }) => isFailed)) assert.ok(sumOf(failed) > kept / 4 - 1e-6);
      }
    },
  ));
});
