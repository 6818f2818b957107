/** The script of a page that watches. Its test starts and stops the streams, and receives their events. */
import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { UserService, WatchUsersResponseSchema } from "@rollcall/gen/user/v1/user";
import { createWatchTransport, type PageWay } from "./watch-transport.ts";

export interface StreamStart {
  id: number;
  way: PageWay;
  baseUrl: string;
  token: string;
  request: { resumeToken: string; includeExisting: boolean; filter: string };
}

/** Part of a stream: events as JSON, and the way it ended. */
export interface StreamPart {
  events: unknown[];
  /** Name of the code; "" for an end without an error. */
  end?: string;
}

declare global {
  var startStream: (start: StreamStart) => void;
  var stopStream: (id: number) => void;
  /** Resolves when the test has taken the part. The page then reads on. */
  var takePart: (id: number, part: StreamPart) => Promise<void>;
}

const open = new Map<number, AbortController>();

globalThis.startStream = ({ id, way, baseUrl, token, request }) => {
  const controller = new AbortController();
  open.set(id, controller);
  const users = createClient(UserService, createWatchTransport(way, baseUrl, token));
  void (async () => {
    try {
      for await (const event of users.watchUsers(request, { signal: controller.signal })) {
        await takePart(id, { events: [toJson(WatchUsersResponseSchema, event)] });
      }
      await takePart(id, { events: [], end: "" });
    } catch (error) {
      await takePart(id, { events: [], end: Code[ConnectError.from(error).code] ?? "Unknown" });
    }
  })();
};
globalThis.stopStream = (id) => {
  open.get(id)?.abort();
  open.delete(id);
};
