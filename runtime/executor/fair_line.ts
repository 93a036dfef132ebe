/**
 * FairLine: whose turn it is, over tenants.
 *
 * Owns each tenant's slots in use, its waiting calls in order of arrival, and the ring in which tenants are
 * served. It knows neither time nor cells, and bounds nothing (admission.ts does). How much of the free slots
 * one tenant may take follows the dynamic queue length threshold of Choudhury and Hahne (IEEE/ACM Transactions
 * on Networking, 1998): while it uses fewer than are free. So one tenant alone gets about half of all slots, and
 * the next one finds room without waiting for it.
 * Invariants: within a tenant, calls of one kind are served in order of arrival; a tenant that was served goes
 * behind all others; a tenant with nothing in use and nothing waiting leaves no trace.
 */
import { LinkedList } from "../model/linked_list.ts";
import type { Link } from "../model/linked_list.ts";

/** What the line must know of a call. */
export interface Request {
  readonly tenant: string;
  /** True for a call that must have a cell to itself. Those queue apart, so as not to hold up the others. */
  readonly alone?: boolean;
  /** Most calls of the tenant that run at a time. */
  readonly concurrentCallsMax: number;
}

/** What a tenant has. */
export interface Account {
  readonly tenant: string;
  /** Slots lent to it. */
  inUse: number;
  /** Calls that wait, of both kinds. */
  waiting: number;
  /** One while a cell is emptied for a call of it that must run alone, else zero. */
  claims: number;
}

/** A waiting call's place. */
export interface Place<Value> {
  readonly request: Request;
  readonly account: Account;
  readonly value: Value;
  /** Grows with every arrival. */
  readonly number: number;
}

interface OwnPlace<Value> extends Place<Value> {
  readonly ring: TenantRing<Value>;
  link: Link<OwnPlace<Value>> | undefined;
}

interface Seat<Value> {
  readonly account: Account;
  readonly places: LinkedList<OwnPlace<Value>>;
}

/** The tenants that have calls of one kind waiting, in the order of their turns. */
class TenantRing<Value> {
  readonly #seats = new Map<Account, Link<Seat<Value>>>();
  readonly #ring = new LinkedList<Seat<Value>>();

  seatOf(account: Account): Seat<Value> | undefined {
    return this.#seats.get(account)?.value;
  }

  /** The first seat in turn whose head `accept` takes. */
  find(accept: (head: OwnPlace<Value>) => boolean): OwnPlace<Value> | undefined {
    for (let seat = this.#ring.first; seat !== undefined; seat = seat.next) {
      const head = seat.value.places.first;
      if (head !== undefined && accept(head.value)) return head.value;
    }
    return undefined;
  }

  add(place: OwnPlace<Value>): void {
    let seat = this.#seats.get(place.account);
    if (seat === undefined) {
      seat = this.#ring.push({ account: place.account, places: new LinkedList() });
      this.#seats.set(place.account, seat);
    }
    place.link = seat.value.places.push(place);
  }

  /** Takes a place out, and its tenant too if it was the last; one that stays goes behind all others if asked. */
  remove(place: OwnPlace<Value>, tenantStays: "in place" | "goes behind"): void {
    const seat = this.#seats.get(place.account);
    if (seat === undefined || place.link === undefined) return;
    seat.value.places.remove(place.link);
    place.link = undefined;
    if (seat.value.places.size === 0) {
      this.#ring.remove(seat);
      this.#seats.delete(place.account);
    } else if (tenantStays === "goes behind") this.#ring.moveToEnd(seat);
  }
}

/** Waiting calls with values of type Value, and slots in use, by tenant. */
export class FairLine<Value> {
  readonly #accounts = new Map<string, Account>();
  readonly #shared = new TenantRing<Value>();
  readonly #alone = new TenantRing<Value>();
  #depth = 0;
  #tenantsWaiting = 0;
  #nextNumber = 1;

  /** Calls that wait. */
  get depth(): number {
    return this.#depth;
  }

  /** Tenants that have calls waiting. */
  get tenantsWaiting(): number {
    return this.#tenantsWaiting;
  }

  /** Tenants of whom anything is known. */
  get tenantCount(): number {
    return this.#accounts.size;
  }

  /** How many calls of a tenant wait. */
  waitingOf(tenant: string): number {
    return this.#accounts.get(tenant)?.waiting ?? 0;
  }

  /** How many calls of each tenant wait, for those that have any. */
  *waiting(): Generator<readonly [tenant: string, count: number]> {
    for (const { tenant, waiting } of this.#accounts.values()) if (waiting > 0) yield [tenant, waiting];
  }

  /** Whether no call ahead and no rule of the line holds up one that arrives now, if `freeSlots` are free. */
  mayPass(request: Request, freeSlots: number): boolean {
    const account = this.#accounts.get(request.tenant);
    if (account === undefined) return request.alone === true || freeSlots > 0;
    if (this.#ringOf(request).seatOf(account) !== undefined) return false;
    return request.alone === true ? mayRunAlone(account, request) : mayRun(account, request, freeSlots);
  }

  /** Notes a slot lent to a tenant. */
  take(tenant: string): Account {
    const account = this.#accountOf(tenant);
    account.inUse++;
    return account;
  }

  /** Notes that a slot came back. */
  giveBack(account: Account): void {
    account.inUse--;
    this.#forgetIfIdle(account);
  }

  /** Lets a call wait, as the last of its tenant. */
  add(request: Request, value: Value): Place<Value> {
    const account = this.#accountOf(request.tenant);
    const ring = this.#ringOf(request);
    const place: OwnPlace<Value> = {
      request,
      account,
      value,
      number: this.#nextNumber++,
      ring,
      link: undefined,
    };
    ring.add(place);
    this.#depth++;
    if (account.waiting++ === 0) this.#tenantsWaiting++;
    return place;
  }

  /** Whether a call still waits. */
  has(place: Place<Value>): boolean {
    return (place as OwnPlace<Value>).link !== undefined;
  }

  /** Takes a call out that leaves unserved; its tenant keeps its turn. */
  remove(place: Place<Value>): void {
    this.#takeOut(place as OwnPlace<Value>, "in place");
  }

  /** Takes a call out that is served: its tenant has had its turn, and one slot more. */
  serve(place: Place<Value>): Account {
    // First, so that the tenant is not forgotten in between.
    const account = this.take(place.account.tenant);
    this.#takeOut(place as OwnPlace<Value>, "goes behind");
    return account;
  }

  /** The next call to be served, if `freeSlots` are free; tenants whose turn it is not yet are passed over. */
  next(freeSlots: number): Place<Value> | undefined {
    return this.#shared.find(({ account, request }) => mayRun(account, request, freeSlots));
  }

  /** The next of the calls that must have a cell to themselves. */
  nextAlone(): Place<Value> | undefined {
    return this.#alone.find(({ account, request }) => mayRunAlone(account, request));
  }

  /** A tenant's first call that must have a cell to itself. */
  firstAloneOf(account: Account): Place<Value> | undefined {
    return this.#alone.seatOf(account)?.places.first?.value;
  }

  /** The latest arrival of the tenant that has the most calls waiting. */
  newestOfLongest(): Place<Value> | undefined {
    let longest: Account | undefined;
    for (const account of this.#accounts.values()) {
      if (account.waiting > (longest?.waiting ?? 0)) longest = account;
    }
    if (longest === undefined) return undefined;
    const shared = this.#shared.seatOf(longest)?.places.last?.value;
    const alone = this.#alone.seatOf(longest)?.places.last?.value;
    return (shared?.number ?? 0) > (alone?.number ?? 0) ? shared : alone;
  }

  /** The first of all tenants' oldest calls, in the order of their turns, that `accept` takes. */
  nextOldest(accept: (place: Place<Value>) => boolean): Place<Value> | undefined {
    const isNext = (place: Place<Value>): boolean => this.#oldestOf(place.account) === place && accept(place);
    return this.#shared.find(isNext) ?? this.#alone.find(isNext);
  }

  /** Someone who waits, if anyone does. */
  anyone(): Place<Value> | undefined {
    return this.#shared.find(() => true) ?? this.#alone.find(() => true);
  }

  /** A tenant's call that has waited longest, of either kind. */
  #oldestOf(account: Account): Place<Value> | undefined {
    const shared = this.#shared.seatOf(account)?.places.first?.value;
    const alone = this.#alone.seatOf(account)?.places.first?.value;
    return (shared?.number ?? Infinity) < (alone?.number ?? Infinity) ? shared : alone;
  }

  #takeOut(place: OwnPlace<Value>, tenantStays: "in place" | "goes behind"): void {
    if (place.link === undefined) return;
    place.ring.remove(place, tenantStays);
    this.#depth--;
    if (--place.account.waiting === 0) this.#tenantsWaiting--;
    this.#forgetIfIdle(place.account);
  }

  #ringOf(request: Request): TenantRing<Value> {
    return request.alone === true ? this.#alone : this.#shared;
  }

  #accountOf(tenant: string): Account {
    let account = this.#accounts.get(tenant);
    if (account === undefined) {
      account = { tenant, inUse: 0, waiting: 0, claims: 0 };
      this.#accounts.set(tenant, account);
    }
    return account;
  }

  #forgetIfIdle(account: Account): void {
    if (account.inUse === 0 && account.waiting === 0) this.#accounts.delete(account.tenant);
  }
}

/** The threshold with a factor of one; a tenant that has nothing may always take a free slot. */
function mayRun(account: Account, request: Request, freeSlots: number): boolean {
  const held = account.inUse + account.claims;
  return held === 0 ? freeSlots > 0 : held < freeSlots && held < request.concurrentCallsMax;
}

/** No threshold here: how many cells go to such calls is bounded instead (alone_turn.ts). */
function mayRunAlone(account: Account, request: Request): boolean {
  return account.inUse === 0 || account.inUse < request.concurrentCallsMax;
}
