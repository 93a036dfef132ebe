/**
 * TenantSeries: the metrics of single tenants, and how many tenants may have some.
 *
 * Owns which tenants have series of their own: callers choose tenant numbers, so past a bound the others share
 * the label `other`, and a tenant that is idle for long gives its place up. It decides nothing else.
 * Invariants: however many tenants come and whatever they are called, the number of series is bounded; a tenant
 * with a call under way keeps its series.
 */
import type { Counter, Gauge, Metrics } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { ShedKind } from "./admission.ts";
import type { GpuShedKind } from "./gpu_share.ts";

/** Label of the tenants without series of their own. */
export const OTHER_TENANTS = "other";

/** Bounds of the table. */
export interface TenantTableOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Kind of the device, a label. */
  readonly device: string;
  /** Most tenants with series of their own. */
  readonly tenantsMax: number;
  /** How long a tenant may be idle before its series end; looked at when metrics are read. */
  readonly idleMs: number;
}

interface GpuSeries {
  readonly dispatches: Counter;
  readonly deviceSeconds: Counter;
  readonly bytes: readonly Gauge[];
}

/** The series of one tenant, or of all others together. Those that few tenants need are made when needed. */
export class TenantSeries {
  readonly label: string;
  readonly fuel: Counter;
  readonly cpuSeconds: Counter;
  readonly yields: Counter;
  readonly queueSeconds: Counter;
  readonly waiting: Gauge;
  /** Linear memory of its guests. */
  readonly cpuBytes: Gauge;
  /** Looked at and set back by the table. */
  wasUsed = true;
  seenAtMs: number;
  readonly #metrics: Metrics;
  readonly #device: string;
  readonly #active: Gauge;
  readonly #calls = new Map<string, Counter>();
  readonly #shed = new Map<ShedKind | GpuShedKind, Counter>();
  #gpu: GpuSeries | undefined;
  #underWay = 0;

  constructor(label: string, { metrics, device, clock }: TenantTableOptions) {
    const tenant = { tenant: label };
    this.label = label;
    this.seenAtMs = clock.nowMs();
    this.#metrics = metrics;
    this.#device = device;
    this.#active = metrics.gauge("tensor_wasm_active_instances", tenant);
    this.fuel = metrics.counter("tensor_wasm_guest_fuel_total", tenant);
    this.cpuSeconds = metrics.counter("tensor_wasm_guest_cpu_seconds_total", tenant);
    this.yields = metrics.counter("tensor_wasm_guest_yields_total", tenant);
    this.queueSeconds = metrics.counter("tensor_wasm_guest_queue_seconds_total", tenant);
    this.waiting = metrics.gauge("tensor_wasm_guest_calls_waiting", tenant);
    this.cpuBytes = metrics.gauge("tensor_wasm_cpu_memory_bytes_per_tenant", { tenant_id: this.tenantId });
  }

  /** The tenant as the reference's series name it. */
  get tenantId(): string {
    return tenantIdOf(this.label);
  }

  /** Whether a call is under way. */
  get isActive(): boolean {
    return this.#underWay > 0;
  }

  /** A call begins; `end` when it is over. */
  begin(): void {
    this.#underWay += 1;
    this.#active.inc();
  }

  end(): void {
    this.#underWay -= 1;
    this.#active.dec();
  }

  /** Calls by what became of them. */
  calls(outcome: string): Counter {
    let calls = this.#calls.get(outcome);
    if (calls === undefined) {
      calls = this.#metrics.counter("tensor_wasm_guest_calls_total", { tenant: this.label, outcome });
      this.#calls.set(outcome, calls);
    }
    return calls;
  }

  /** Calls that were refused or displaced. */
  shed(kind: ShedKind | GpuShedKind): Counter {
    let shed = this.#shed.get(kind);
    if (shed === undefined) {
      shed = this.#metrics.counter("tensor_wasm_calls_shed_total", { kind, tenant: this.label });
      this.#shed.set(kind, shed);
    }
    return shed;
  }

  /** Kernels that the device was given. */
  get dispatches(): Counter {
    return this.#gpuSeries().dispatches;
  }

  /** For how long the device was busy. */
  get deviceSeconds(): Counter {
    return this.#gpuSeries().deviceSeconds;
  }

  /** Device memory now. A tenant that never had any gets no series for it. */
  setGpuBytes(bytes: number): void {
    if (bytes === 0 && this.#gpu === undefined) return;
    for (const gauge of this.#gpuSeries().bytes) gauge.set(bytes);
  }

  #gpuSeries(): GpuSeries {
    const labels = { device: this.#device, tenant: this.label };
    this.#gpu ??= {
      dispatches: this.#metrics.counter("tensor_wasm_kernel_dispatches_total", labels),
      deviceSeconds: this.#metrics.counter("tensor_wasm_guest_device_seconds_total", { tenant: this.label }),
      bytes: [
        this.#metrics.gauge("tensor_wasm_gpu_memory_used_bytes", labels),
        this.#metrics.gauge("tensor_wasm_gpu_memory_bytes_per_tenant", { tenant_id: this.tenantId }),
      ],
    };
    return this.#gpu;
  }
}

/** Which tenants have series of their own. */
export class TenantTable {
  readonly #options: TenantTableOptions;
  readonly #own = new Map<string, TenantSeries>();
  /** Of the tenants beyond the bound. */
  readonly other: TenantSeries;

  constructor(options: TenantTableOptions) {
    this.#options = options;
    // There from the start, all of them, so that no family is without a series and no first event is lost.
    this.other = new TenantSeries(OTHER_TENANTS, options);
    for (const kind of ["capacity", "tenant", "displaced"] as const) this.other.shed(kind);
    for (const outcome of ["returned", "trapped"]) this.other.calls(outcome);
    void this.other.dispatches;
  }

  /** The series of a tenant that does something now: its own if there is room. */
  of(tenant: string): TenantSeries {
    let series = this.#own.get(tenant);
    if (series === undefined) {
      if (tenant === OTHER_TENANTS || this.#own.size >= this.#options.tenantsMax) return this.other;
      series = new TenantSeries(tenant, this.#options);
      this.#own.set(tenant, series);
    }
    series.wasUsed = true;
    return series;
  }

  /** The series that a tenant has, its own or those of the others; makes none. */
  find(tenant: string): TenantSeries {
    return this.#own.get(tenant) ?? this.other;
  }

  /** All there are. */
  *all(): Generator<TenantSeries> {
    yield* this.#own.values();
    yield this.other;
  }

  /** How many tenants have their own. */
  get size(): number {
    return this.#own.size;
  }

  /** Ends the series of tenants that were idle for too long. */
  sweep(): void {
    const { clock, idleMs, metrics } = this.#options;
    const nowMs = clock.nowMs();
    const idle = new Set<string>();
    for (const [tenant, series] of this.#own) {
      if (series.wasUsed || series.isActive) {
        series.wasUsed = false;
        series.seenAtMs = nowMs;
      } else if (nowMs - series.seenAtMs > idleMs) {
        this.#own.delete(tenant);
        idle.add(tenant);
      }
    }
    if (idle.size === 0) return;
    metrics.forget("tenant", idle);
    metrics.forget("tenant_id", new Set([...idle].map(tenantIdOf)));
  }
}

/** The reference's form of a tenant: `T#` and the number. */
function tenantIdOf(label: string): string {
  return label === OTHER_TENANTS ? label : `T#${label}`;
}
