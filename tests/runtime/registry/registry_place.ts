/**
 * A registry over an embedded store in a temporary folder, and requests with valid defaults.
 */
import { DEFAULT_LIMITS, type Limits } from "../../../runtime/model/limits.ts";
import type { DeployRequest } from "../../../runtime/registry/deploy.ts";
import { FunctionRegistry, type FunctionRegistryOptions } from "../../../runtime/registry/functions.ts";
import type { EmbeddedStore } from "../../../runtime/store/embedded/embedded_store.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { aFunction } from "../../contract/store_contract.ts";
import { ManualClock } from "../../support/clock.ts";
import { DataFolder } from "../store/embedded/data_folder.ts";

/** What a test may choose. */
export interface PlaceOptions {
  readonly limits?: Partial<Limits>;
  readonly registry?: Partial<FunctionRegistryOptions>;
  /** Puts something between the registry and the store. */
  readonly wrap?: (store: EmbeddedStore) => Store;
}

/** All of it, disposed in the right order. */
export class RegistryPlace implements AsyncDisposable {
  readonly folder: DataFolder;
  readonly store: EmbeddedStore;
  readonly registry: FunctionRegistry;
  readonly clock: ManualClock;

  private constructor(folder: DataFolder, store: EmbeddedStore, clock: ManualClock, options: PlaceOptions) {
    this.folder = folder;
    this.store = store;
    this.clock = clock;
    this.registry = new FunctionRegistry({
      store: options.wrap?.(store) ?? store,
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      clock,
      newId: () => crypto.randomUUID(),
      ...options.registry,
    });
  }

  static async make(options: PlaceOptions = {}): Promise<RegistryPlace> {
    const folder = await DataFolder.make();
    return new RegistryPlace(folder, await folder.open(), new ManualClock(), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

/** A store that is `store` but for the given methods. */
export function withMethods(
  store: Store,
  changes: { readonly blobs?: Partial<Store["blobs"]>; readonly records?: Partial<Store["records"]> },
): Store {
  return {
    blobs: override(store.blobs, changes.blobs ?? {}),
    records: override(store.records, changes.records ?? {}),
    jobs: store.jobs,
    health: store.health,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** The methods of `target`, bound to it, with some of them exchanged. */
function override<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_target, key): unknown {
      if (Object.hasOwn(changes, key)) return Reflect.get(changes, key);
      const member: unknown = Reflect.get(target, key);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** A deploy with valid defaults. */
export function aDeploy(changes: Partial<DeployRequest> = {}): DeployRequest {
  return { tenant: "acme", name: "resize", bytes: aModule(0), facts: aFunction().facts, ...changes };
}

/** Eight bytes that differ for each number. */
export function aModule(number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, number >> 8, number]);
}
