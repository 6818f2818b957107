import { setTimeout as delay } from "node:timers/promises";
import {
  keepCounts,
  type MetricSnapshot,
  type MetricsExchange,
  mergeSnapshots,
  takeSnapshot,
  toMetrics,
  type WorkerSnapshot,
} from "../telemetry/metrics/merge-metrics.ts";
import type { Metric } from "../telemetry/metrics/metric.ts";
import { toPrometheusText } from "../telemetry/metrics/prometheus-text.ts";
import { WORKERS_NAME, type WorkerCounts, workersMetric } from "../telemetry/metrics/server-metrics.ts";

/** Time in which a worker has to answer, in milliseconds. Prometheus itself waits for 10 s. */
const ANSWER_TIMEOUT_MS = 2_000;
/** Time in which the process above the workers has to answer. */
const GATHER_TIMEOUT_MS = 2 * ANSWER_TIMEOUT_MS;
/** Longest accepted answer of a worker, in characters; a usual one has some ten thousand. A longer one is ignored. */
const MAX_ANSWER_LENGTH = 8 * 1024 ** 2;

/** Messages between a worker (W) and the process above it (P); `text` is JSON or, for `all`, Prometheus's. */
type Message =
  /** P to W: send your own metrics. */
  | { readonly metrics: "read"; readonly id: number }
  /** W to P: the answer. */
  | { readonly metrics: "own"; readonly id: number; readonly text: string }
  /** W to P: send the metrics of all workers. */
  | { readonly metrics: "gather"; readonly id: number }
  /** P to W: the answer. */
  | { readonly metrics: "all"; readonly id: number; readonly text: string };

/** One process's end of a channel to another. */
export interface Channel {
  on(event: "message", listener: (message: unknown) => void): unknown;
  /** Sends a message. If it can't be sent any more, the callback gets the error. */
  send(message: Message, callback: (error: Error | null) => void): unknown;
}

/** Creates the worker's side: it sends the worker's own metrics, and asks the process above for those of all. */
export function createMetricsExchange(channel: Channel, timeoutMs = GATHER_TIMEOUT_MS): MetricsExchange {
  let read: () => readonly Metric[] = () => [];
  let nextId = 0;
  let asked:
    | { readonly id: number; readonly text: Promise<string | undefined>; resolve(text: string): void }
    | undefined;
  channel.on("message", (message) => {
    if (!isMessage(message)) return;
    const { id } = message;
    if (message.metrics === "read") {
      send(channel, { metrics: "own", id, text: JSON.stringify(takeSnapshot(read())) });
    } else if (message.metrics === "all" && asked?.id === id) asked.resolve(message.text);
  });
  return {
    offer(own) {
      read = own;
    },
    async readAll() {
      // Callers that come meanwhile share the answer.
      if (!asked) {
        const { promise, resolve } = Promise.withResolvers<string>();
        const id = nextId++;
        const text = withinMs(promise, timeoutMs);
        asked = { id, text, resolve };
        const isOver = () => {
          asked = undefined;
        };
        text.then(isOver, isOver);
        send(channel, { metrics: "gather", id });
      }
      const text = await asked.text;
      if (text === undefined) throw new Error("the process above the workers does not answer");
      return text;
    },
  };
}

/** Place of a worker, by its number, with its latest figures. */
interface Place {
  channel: Channel | undefined;
  /** The worker's last answer. */
  last: readonly MetricSnapshot[] | undefined;
  /** Handles the answer to the question with this id. */
  pending: { readonly id: number; resolve(isAnswered: boolean): void } | undefined;
}

/**
 * Gathers the metrics of all workers, for any worker that is asked for them. Sums never shrink: a worker that does not
 * answer in time counts with its last answer, and one that has ended counts with its counters at that time.
 */
export class MetricsGatherer {
  readonly #places = new Map<number, Place>();
  readonly #answerTimeoutMs: number;
  #ended: readonly MetricSnapshot[] = [];
  #gathering: Promise<string> | undefined;
  #nextId = 0;

  /** @param workers Number of workers that should be running. */
  constructor(workers: number, answerTimeoutMs = ANSWER_TIMEOUT_MS) {
    this.#answerTimeoutMs = answerTimeoutMs;
    for (let number = 1; number <= workers; number++) {
      this.#places.set(number, { channel: undefined, last: undefined, pending: undefined });
    }
  }

  /** Adds a worker that serves. */
  add(number: number, channel: Channel): void {
    const place = this.#places.get(number);
    if (!place) return;
    place.channel = channel;
    channel.on("message", (message) => {
      if (!isMessage(message) || place.channel !== channel) return;
      if (message.metrics === "own" && place.pending?.id === message.id) this.#take(place, message.text);
      if (message.metrics === "gather") void this.#answer(channel, message.id);
    });
  }

  /** Removes a worker that has ended. */
  remove(number: number): void {
    const place = this.#places.get(number);
    if (!place) return;
    place.channel = undefined;
    place.pending?.resolve(false);
    if (place.last) this.#ended = merge([this.#ended, keepCounts(place.last)]);
    place.last = undefined;
  }

  #take(place: Place, text: string): void {
    const isAnswered = text.length <= MAX_ANSWER_LENGTH;
    if (isAnswered) place.last = JSON.parse(text) as MetricSnapshot[];
    place.pending?.resolve(isAnswered);
  }

  async #answer(channel: Channel, id: number): Promise<void> {
    this.#gathering ??= this.#gather().finally(() => {
      this.#gathering = undefined;
    });
    send(channel, { metrics: "all", id, text: await this.#gathering });
  }

  async #gather(): Promise<string> {
    const places = [...this.#places].filter(([, { channel }]) => channel);
    const answers = await Promise.all(places.map(([, place]) => this.#ask(place)));
    const serving = answers.filter(Boolean).length;
    // A worker that has ended meanwhile is down, and is counted with the ended ones.
    const left = places.filter(([, { channel }]) => channel).length;
    const counts: WorkerCounts = { serving, silent: Math.max(0, left - serving), down: this.#places.size - left };
    const snapshots: WorkerSnapshot[] = [...this.#places].map(([worker, { last = [] }]) => ({ worker, metrics: last }));
    const merged = mergeSnapshots([...snapshots, { worker: 0, metrics: this.#ended }]);
    return toPrometheusText([...toMetrics(merged.filter(({ name }) => name !== WORKERS_NAME)), workersMetric(counts)]);
  }

  /** Resolves with whether the worker has answered in time. */
  async #ask(place: Place): Promise<boolean> {
    const { channel } = place;
    if (!channel) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const id = this.#nextId++;
    place.pending = { id, resolve };
    send(channel, { metrics: "read", id });
    const isAnswered = await withinMs(promise, this.#answerTimeoutMs);
    place.pending = undefined;
    return isAnswered ?? false;
  }
}

function merge(all: readonly (readonly MetricSnapshot[])[]): MetricSnapshot[] {
  return mergeSnapshots(all.map((metrics) => ({ worker: 0, metrics })));
}

function isMessage(message: unknown): message is Message {
  return typeof message === "object" && message !== null && "metrics" in message && "id" in message;
}

/** Sends a message to a process that may have ended. */
function send(channel: Channel, message: Message): void {
  channel.send(message, () => {});
}

/** Resolves with the result, or with undefined when the time is over. */
async function withinMs<T>(result: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const controller = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: controller.signal, ref: false }).catch(() => undefined);
  try {
    return await Promise.race([result, late]);
  } finally {
    controller.abort();
  }
}
