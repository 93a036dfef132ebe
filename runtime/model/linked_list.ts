/**
 * LinkedList: a sequence whose members leave from anywhere in constant time.
 *
 * Owns order only. A Set would keep order too, but has no last member, and finding its first one passes over
 * those that were deleted before. Invariant: a link belongs to one list, and is removed from it at most once.
 */
import { invariant } from "./invariant.ts";

/** A member's place in its list. */
export interface Link<T> {
  readonly value: T;
  /** The next towards the end. */
  readonly next: Link<T> | undefined;
}

interface OwnLink<T> extends Link<T> {
  readonly list: LinkedList<T>;
  linked: boolean;
  next: OwnLink<T> | undefined;
  previous: OwnLink<T> | undefined;
}

/** A doubly linked list. */
export class LinkedList<T> {
  #first: OwnLink<T> | undefined;
  #last: OwnLink<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): Link<T> | undefined {
    return this.#first;
  }

  get last(): Link<T> | undefined {
    return this.#last;
  }

  /** Adds a value at the end. */
  push(value: T): Link<T> {
    const link: OwnLink<T> = { value, list: this, linked: false, next: undefined, previous: undefined };
    this.#append(link);
    return link;
  }

  /** Takes a link out. */
  remove(link: Link<T>): void {
    const own = this.#own(link);
    if (own.previous === undefined) this.#first = own.next;
    else own.previous.next = own.next;
    if (own.next === undefined) this.#last = own.previous;
    else own.next.previous = own.previous;
    own.next = own.previous = undefined;
    own.linked = false;
    this.#size--;
  }

  /** Moves a link to the end. */
  moveToEnd(link: Link<T>): void {
    const own = this.#own(link);
    if (own.next === undefined) return;
    this.remove(own);
    this.#append(own);
  }

  #append(link: OwnLink<T>): void {
    link.linked = true;
    link.previous = this.#last;
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#size++;
  }

  #own(link: Link<T>): OwnLink<T> {
    const own = link as OwnLink<T>;
    invariant(own.linked && own.list === this, "A link leaves the list that it is in");
    return own;
  }
}
