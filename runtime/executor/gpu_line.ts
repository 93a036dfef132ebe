/**
 * GpuLine: whose call may use a device next.
 *
 * Owns, for one device, each tenant's virtual time (device time used, divided by its weight), its waiting calls
 * and its permits in use. The order is start-time fair queueing (Goyal, Vin and Cheng 1996), with two bounded
 * exceptions: a shorter call may go first while its tenant is at most SHORT_AHEAD_MS ahead of the least served,
 * and one part in AGED_PART of the time goes to whoever has waited longest. It knows no clock and bounds nothing
 * (gpu_share.ts does). Invariant: a tenant without calls leaves nothing behind once the others have caught up.
 */
import { invariant } from "../model/invariant.ts";

/** How far a tenant may be ahead of the least served and still have a shorter call go first. */
const SHORT_AHEAD_MS = 20;
/** One part in so many of the device's time is for the oldest call, whoever's it is. */
const AGED_PART = 8;
/** Every so many turns of a tenant are for its oldest call instead of its shortest. */
const OLDEST_EVERY = 4;
/** Least charge of one call, so that calls without kernels cannot go first for ever. */
const CHARGE_MS_MIN = 0.05;
/** Most tenants remembered that have no calls. */
const IDLE_TENANTS_MAX = 4096;

/** What the line must know of a call. */
export interface GpuRequest {
  readonly tenant: string;
  /** The tenant's part of the device, beside the weights of the others; above 0. */
  readonly weight: number;
  /** How much device time it is thought to need. */
  readonly expectedMs: number;
}

/** A waiting call. */
export interface GpuPlace<Value> extends GpuRequest {
  readonly value: Value;
  /** Grows with every arrival. */
  readonly number: number;
}

/** A call that has its turn: what it was charged beforehand is put right at its end. */
export interface GpuTurn {
  readonly tenant: string;
  readonly weight: number;
  readonly chargedMs: number;
  readonly isAged: boolean;
}

interface Flow<Value> {
  /** The device time that it has had, divided by its weight. */
  timeMs: number;
  /** What part of it is for calls that are under way. */
  pendingMs: number;
  inUse: number;
  /** Turns that it has had since its oldest call had one. */
  turns: number;
  /** In order of arrival. */
  readonly waiting: Set<GpuPlace<Value>>;
  /** The shortest of them, as far as it has been looked for since the last one left. */
  shortest: GpuPlace<Value> | undefined;
}

/** Which call is next, and by which rule. */
interface Choice<Value> {
  readonly place: GpuPlace<Value>;
  readonly isAged: boolean;
}

/** The line of one device, for calls with values of type Value. */
export class GpuLine<Value> {
  readonly #flows = new Map<string, Flow<Value>>();
  #depth = 0;
  #inUse = 0;
  #nextNumber = 1;
  /** The virtual time of the device: where who comes anew begins. */
  #floorMs = 0;
  /** Time charged to turns of the oldest, and to all others. */
  #agedMs = 0;
  #fairMs = 0;

  /** Calls that wait. */
  get depth(): number {
    return this.#depth;
  }

  /** Permits in use. */
  get inUse(): number {
    return this.#inUse;
  }

  /** Tenants of whom anything is known. */
  get tenantCount(): number {
    return this.#flows.size;
  }

  waitingOf(tenant: string): number {
    return this.#flows.get(tenant)?.waiting.size ?? 0;
  }

  /** Whether a call that comes now has no call of its tenant and no rule of the line before it. */
  mayPass({ tenant, weight }: Pick<GpuRequest, "tenant" | "weight">, permitsFree: number): boolean {
    const { waiting, inUse } = this.#flows.get(tenant) ?? { waiting: new Set(), inUse: 0 };
    return waiting.size === 0 && inUse < weight * permitsFree;
  }

  /** Device time that is thought to go before a call that comes now: its tenant's, and the others' in turn. */
  aheadMs({ tenant, weight, expectedMs }: GpuRequest): number {
    let ownMs = 0;
    for (const place of this.#flows.get(tenant)?.waiting ?? []) {
      if (place.expectedMs <= expectedMs) ownMs += place.expectedMs;
    }
    let others = 0;
    for (const [other, { waiting }] of this.#flows) {
      const [first] = waiting;
      if (other !== tenant && first !== undefined) others += first.weight;
    }
    return ownMs * (weight + others) / weight;
  }

  /** Lets a call wait. */
  add(request: GpuRequest, value: Value): GpuPlace<Value> {
    const flow = this.#flowOf(request.tenant);
    // Who has slept starts where the others are: nobody saves up, and nobody is forgiven what it has had.
    if (flow.waiting.size === 0 && flow.inUse === 0) flow.timeMs = Math.max(flow.timeMs, this.#floorMs);
    const place = { ...request, value, number: this.#nextNumber++ };
    flow.waiting.add(place);
    if (flow.shortest !== undefined && place.expectedMs < flow.shortest.expectedMs) flow.shortest = place;
    this.#depth++;
    return place;
  }

  has(place: GpuPlace<Value>): boolean {
    return this.#flows.get(place.tenant)?.waiting.has(place) ?? false;
  }

  /** Takes a call out that leaves unserved. */
  remove(place: GpuPlace<Value>): void {
    const flow = this.#flows.get(place.tenant);
    if (flow === undefined || !flow.waiting.has(place)) return;
    this.#takeOut(flow, place);
    this.#forget();
  }

  /** The next call, if so many permits are free; tenants that have their part of them are passed over. */
  next(permitsFree: number): GpuPlace<Value> | undefined {
    return this.#choose(permitsFree)?.place;
  }

  /** Gives the next call its turn and charges what it is thought to need. */
  serve(permitsFree: number): { readonly place: GpuPlace<Value>; readonly turn: GpuTurn } | undefined {
    const choice = this.#choose(permitsFree);
    if (choice === undefined) return undefined;
    const { place, isAged } = choice;
    const { tenant, weight } = place;
    const flow = this.#flowOf(tenant);
    this.#floorMs = Math.max(this.#floorMs, this.#leastMs());
    const [oldest] = flow.waiting;
    flow.turns = place === oldest ? 0 : flow.turns + 1;
    this.#takeOut(flow, place);
    flow.inUse++;
    this.#inUse++;
    const turn = { tenant, weight, chargedMs: Math.max(place.expectedMs, CHARGE_MS_MIN), isAged };
    flow.pendingMs += turn.chargedMs / weight;
    this.#charge(flow, turn, turn.chargedMs);
    return { place, turn };
  }

  /** Ends a turn that has used so much. */
  finish(turn: GpuTurn, usedMs: number): void {
    const flow = this.#flows.get(turn.tenant);
    invariant(flow !== undefined && flow.inUse > 0, "A turn ends once");
    flow.inUse--;
    this.#inUse--;
    flow.pendingMs -= turn.chargedMs / turn.weight;
    this.#charge(flow, turn, Math.max(usedMs, CHARGE_MS_MIN) - turn.chargedMs);
    this.#forget();
  }

  /** The latest arrival of the tenant that has the most calls waiting. */
  newestOfLongest(): GpuPlace<Value> | undefined {
    let longest: Flow<Value> | undefined;
    for (const flow of this.#flows.values()) {
      if (flow.waiting.size > (longest?.waiting.size ?? 0)) longest = flow;
    }
    return [...longest?.waiting ?? []].at(-1);
  }

  /** Any call that waits. */
  anyone(): GpuPlace<Value> | undefined {
    for (const { waiting } of this.#flows.values()) for (const place of waiting) return place;
    return undefined;
  }

  #choose(permitsFree: number): Choice<Value> | undefined {
    if (permitsFree <= 0) return undefined;
    const flows = [...this.#flows.values()].filter((flow) => mayHaveOneMore(flow, permitsFree));
    const isAged = this.#agedMs * (AGED_PART - 1) <= this.#fairMs;
    const place = isAged ? oldestOf(flows) : shortestOf(flows);
    return place === undefined ? undefined : { place, isAged };
  }

  #takeOut(flow: Flow<Value>, place: GpuPlace<Value>): void {
    flow.waiting.delete(place);
    if (flow.shortest === place) flow.shortest = undefined;
    this.#depth--;
  }

  #charge(flow: Flow<Value>, { weight, isAged }: GpuTurn, ms: number): void {
    flow.timeMs += ms / weight;
    if (isAged) this.#agedMs += ms;
    else this.#fairMs += ms;
  }

  /** Where the next turn begins: at the least served who wants one, else at the least of those under way. */
  #leastMs(): number {
    const flows = [...this.#flows.values()];
    const waiting = flows.filter(({ waiting }) => waiting.size > 0);
    if (waiting.length > 0) return Math.min(...waiting.map(({ timeMs }) => timeMs));
    const running = flows.filter(({ inUse }) => inUse > 0);
    return running.length === 0 ? 0 : Math.min(...running.map((flow) => flow.timeMs - flow.pendingMs));
  }

  #flowOf(tenant: string): Flow<Value> {
    let flow = this.#flows.get(tenant);
    if (flow === undefined) {
      flow = {
        timeMs: this.#floorMs,
        pendingMs: 0,
        inUse: 0,
        turns: 0,
        waiting: new Set(),
        shortest: undefined,
      };
      this.#flows.set(tenant, flow);
    }
    return flow;
  }

  /** Drops what is of no consequence any more. */
  #forget(): void {
    if (this.#depth === 0 && this.#inUse === 0) {
      // Nobody competes: all begin anew.
      this.#flows.clear();
      this.#floorMs = this.#agedMs = this.#fairMs = 0;
      return;
    }
    this.#floorMs = Math.max(this.#floorMs, this.#leastMs());
    let idle = 0;
    for (const [tenant, flow] of this.#flows) {
      if (flow.waiting.size > 0 || flow.inUse > 0) continue;
      if (flow.timeMs <= this.#floorMs || ++idle > IDLE_TENANTS_MAX) this.#flows.delete(tenant);
    }
  }
}

/**
 * The moving threshold of fair_line.ts, by weight: a tenant of weight 1 has at most as many permits as are left, so
 * that the next one finds one.
 */
function mayHaveOneMore<Value>({ waiting, inUse }: Flow<Value>, permitsFree: number): boolean {
  const [first] = waiting;
  return first !== undefined && inUse < first.weight * permitsFree;
}

function oldestOf<Value>(flows: readonly Flow<Value>[]): GpuPlace<Value> | undefined {
  let oldest: GpuPlace<Value> | undefined;
  for (const { waiting } of flows) {
    const [first] = waiting;
    if (first !== undefined && first.number < (oldest?.number ?? Infinity)) oldest = first;
  }
  return oldest;
}

/** The shortest of the heads of those that are not too far ahead of the least served. */
function shortestOf<Value>(flows: readonly Flow<Value>[]): GpuPlace<Value> | undefined {
  const leastMs = Math.min(...flows.map(({ timeMs }) => timeMs));
  let best: { readonly place: GpuPlace<Value>; readonly timeMs: number } | undefined;
  for (const flow of flows) {
    if (flow.timeMs > leastMs + SHORT_AHEAD_MS) continue;
    const place = headOf(flow);
    if (place === undefined) continue;
    const { timeMs } = flow;
    if (best === undefined || isBefore({ place, timeMs }, best)) best = { place, timeMs };
  }
  return best?.place;
}

function isBefore<Value>(
  a: { readonly place: GpuPlace<Value>; readonly timeMs: number },
  b: { readonly place: GpuPlace<Value>; readonly timeMs: number },
): boolean {
  if (a.place.expectedMs !== b.place.expectedMs) return a.place.expectedMs < b.place.expectedMs;
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
  return a.place.number < b.place.number;
}

/** A tenant's call that is next: its shortest; every few turns its oldest. */
function headOf<Value>(flow: Flow<Value>): GpuPlace<Value> | undefined {
  const [oldest] = flow.waiting;
  if (flow.turns >= OLDEST_EVERY - 1 || oldest === undefined) return oldest;
  if (flow.shortest !== undefined) return flow.shortest;
  let shortest = oldest;
  for (const place of flow.waiting) if (place.expectedMs < shortest.expectedMs) shortest = place;
  return flow.shortest = shortest;
}
