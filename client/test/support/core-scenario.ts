import { Code, ConnectError } from "@connectrpc/connect";
import {
  createRollcall,
  EmailTakenError,
  type RollcallOptions,
  StaleUserError,
  UnauthorizedError,
  UserNotFoundError,
  ValidationError,
} from "../../src/index.ts";

/** Uses all parts of the browser-safe core, both in Node and in Chromium. Resolves with the results as plain data. */
export async function runCoreScenario(options: RollcallOptions): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  const lines: string[] = [];
  const codes: unknown[] = [];
  let failures = 1;
  const client = createRollcall({
    ...options,
    retry: { initialDelayMs: 1, onRetry: ({ attempt, error }) => codes.push([attempt, Code[error.code]]) },
    logger: {
      info: (fields, message) => lines.push(`${message} ${(fields as { method: string }).method}`),
      warn: (fields, message) => lines.push(`${message} ${(fields as { method: string }).method}`),
    },
    interceptors: [
      (next) => (request) => {
        if (request.method.name === "ListUsers" && failures-- > 0) throw new ConnectError("for now", Code.Unavailable);
        return next(request);
      },
    ],
  });
  const nameOfError = async (call: Promise<unknown>, type: new (...args: never[]) => Error) => {
    const error = await call.catch((reason: unknown) => reason);
    return error instanceof type && error.cause instanceof ConnectError && error.name;
  };

  const ada = await client.users.create({ email: "ada@example.com", name: "Ada" });
  const grace = await client.users.create({ email: "grace@example.com", name: "Grace" });
  seen.same = (await client.users.get(ada.id)).email === ada.email;
  const first = await client.users.create({ email: "x@example.com", name: "X", requestId: "1" });
  const second = await client.users.create({ email: "x@example.com", name: "X", requestId: "1" });
  seen.repeated = first.id === second.id;
  const names: string[] = [];
  for await (const user of client.users.listAll({ pageSize: 1 })) names.push(user.name);
  seen.names = names;
  const changed = await client.users.update(ada.id, { name: "Ada Lovelace" }, { etag: ada.etag });
  seen.changed = changed.name;
  seen.stale = await nameOfError(client.users.update(ada.id, { name: "A" }, { etag: ada.etag }), StaleUserError);
  seen.taken = await nameOfError(client.users.create({ email: "ADA@example.com", name: "A" }), EmailTakenError);
  const invalid = await client.users.create({ email: "ada", name: "" }).catch((reason: unknown) => reason);
  seen.violations = invalid instanceof ValidationError && invalid.violations.map(({ field }) => field).sort();
  await client.users.delete(grace.id);
  seen.notFound = await nameOfError(client.users.get(grace.id), UserNotFoundError);

  const results: number[] = [];
  for await (const { sequence } of client.streams.query("q")) {
    results.push(sequence);
    if (sequence === 4) break;
  }
  seen.results = results;
  const controller = new AbortController();
  const canceled = client.users.get(ada.id, { signal: controller.signal });
  controller.abort();
  const cancellation = await canceled.catch((reason: unknown) => reason);
  seen.canceled = cancellation instanceof ConnectError && Code[cancellation.code];

  // The token is renewed when it is refused.
  const tokens = ["not.a.token", options.token];
  const renewing = createRollcall({ ...options, token: undefined, getToken: async () => tokens.shift() });
  seen.renewed = (await renewing.users.get(ada.id)).name;
  const stranger = createRollcall({ ...options, token: "not.a.token" });
  seen.unauthorized = await nameOfError(stranger.users.get(ada.id), UnauthorizedError);
  const nowhere = createRollcall({ ...options, baseUrl: "http://127.0.0.1:9", retry: false });
  const unreachable = await nowhere.users.get(ada.id).catch((reason: unknown) => reason);
  seen.unreachable = unreachable instanceof ConnectError && Code[unreachable.code];

  await client.close();
  const closed = await client.users.get(ada.id).catch((reason: unknown) => reason);
  seen.closed = closed instanceof ConnectError && closed.rawMessage;
  seen.retries = codes;
  seen.lines = lines.filter((line) => line.includes("ListUsers"));
  return seen;
}

/** Expected outcome, for a directory that was empty. */
export const expectedOfCore = {
  same: true,
  repeated: true,
  names: ["Ada", "Grace", "X"],
  changed: "Ada Lovelace",
  stale: "StaleUserError",
  taken: "EmailTakenError",
  violations: ["email", "name"],
  notFound: "UserNotFoundError",
  results: [0, 1, 2, 3, 4],
  canceled: "Canceled",
  renewed: "Ada Lovelace",
  unauthorized: "UnauthorizedError",
  unreachable: "Unavailable",
  closed: "the client is closed",
  retries: [[1, "Unavailable"]],
  lines: ["retry user.v1.UserService/ListUsers", ...Array(3).fill("call user.v1.UserService/ListUsers")],
};
