/**
 * Deploys of a chaos run: who has which modules, and deploys that go on while cells are killed.
 *
 * Invariant: none of these requests is traced, so that every trace in the collector belongs to a call.
 */
import { readGuest } from "../support/guests.ts";
import { choose, type Random } from "./call_kind.ts";
import type { Tenant } from "./caller.ts";
import { HONEST_CALLS } from "./honest_calls.ts";
import { HOSTILE_CALLS } from "./hostile_calls.ts";
import { UNSAMPLED } from "./ledger.ts";
import type { Report } from "./report.ts";

const HOSTILE_OF_EACH_COUNT = 8;
const DEPLOYS_AT_A_TIME = 4;
const DEPLOY_PAUSE_MS = 2_000;

/** Tenants with all honest guests and some hostile ones each. */
export function makeTenants(count: number, random: Random): Tenant[] {
  return Array.from({ length: count }, (_, index) => ({
    number: String(index + 1),
    honest: HONEST_CALLS,
    hostile: Array.from({ length: HOSTILE_OF_EACH_COUNT }, () => choose(HOSTILE_CALLS, random)),
  }));
}

/** Deploys what the tenants are to call; how many modules that were. */
export async function deploy(url: string, tenants: readonly Tenant[]): Promise<number> {
  const todo = tenants.flatMap(({ number, honest, hostile }) =>
    [...new Set([...honest, ...hostile].map(({ guest }) => guest))].map((guest) => ({ number, guest }))
  );
  const count = todo.length;
  const work = async (): Promise<void> => {
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const response = await deployOne(url, next.number, next.guest);
      if (!response.ok) throw new Error(`Deploy of ${next.guest}: ${await response.text()}`);
      await response.body?.cancel();
    }
  };
  await Promise.all(Array.from({ length: DEPLOYS_AT_A_TIME }, work));
  return count;
}

/** Deploys new versions now and then. */
export async function deployUntilOver(
  url: string,
  tenants: readonly Tenant[],
  random: Random,
  isOver: () => boolean,
  report: Report,
): Promise<void> {
  while (!isOver()) {
    const tenant = tenants[Math.floor(random() * tenants.length)];
    if (tenant === undefined) return;
    const { guest } = choose(tenant.honest, random);
    const response = await deployOne(url, tenant.number, guest);
    const text = await response.text();
    report.deploysCount++;
    // The process that examines the module may be killed, too.
    const isLost = response.status === 502 && JSON.parse(text).error.kind === "cell_lost";
    if (!response.ok && !isLost) report.violation(`deploy of ${guest}: ${response.status} ${text}`);
    await new Promise((resolve) => setTimeout(resolve, random() * DEPLOY_PAUSE_MS));
  }
}

async function deployOne(url: string, tenant: string, guest: string): Promise<Response> {
  return await fetch(`${url}/functions?name=${guest}`, {
    method: "POST",
    headers: {
      "content-type": "application/wasm",
      "x-tensorwasm-tenant": tenant,
      ...UNSAMPLED,
    },
    body: readGuest(guest),
  });
}
