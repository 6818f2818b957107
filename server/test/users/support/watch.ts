import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { UserService, WatchUsersRequestSchema, WatchUsersResponse } from "@rollcall/gen/user/v1/user";

/** Returns a short form of an event: its kind with the user's name, or with the id of a removed user. */
export function shorten({ event }: WatchUsersResponse): string {
  switch (event.case) {
    case "created":
    case "updated":
      return `${event.case} ${event.value.name}`;
    case "removed":
      return `removed ${event.value.id}`;
    default:
      return String(event.case);
  }
}

/** A stream of events that a test reads step by step. */
export class Watch implements AsyncDisposable {
  /** Resume token of the last event that has one. */
  token = "";
  readonly #controller = new AbortController();
  readonly #events: AsyncIterator<WatchUsersResponse>;

  constructor(users: Client<typeof UserService>, request: MessageInitShape<typeof WatchUsersRequestSchema> = {}) {
    const { signal } = this.#controller;
    this.#events = users.watchUsers(request, { signal, timeoutMs: 0 })[Symbol.asyncIterator]();
  }

  /** Returns the next event. */
  async next(): Promise<WatchUsersResponse> {
    const { value, done } = await this.#events.next();
    if (done) throw new Error("the stream has ended");
    this.token = value.resumeToken || this.token;
    return value;
  }

  /** Returns the next events in short form. */
  async take(count: number): Promise<string[]> {
    const events: string[] = [];
    while (events.length < count) events.push(shorten(await this.next()));
    return events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#events.next().catch(() => {});
  }
}
