import { parseArgs } from "node:util";

/** Kind of calls that a client makes: calls of GetUser, or messages of streams. */
export type ClientCall = "getUser" | "serverStream" | "bidirectionalStream";

/** Number of concurrent tasks that make calls. */
export const IN_FLIGHT: Readonly<Record<ClientCall, number>> = { getUser: 64, serverStream: 8, bidirectionalStream: 1 };

export interface ClientArgs {
  readonly url: string;
  readonly token: string;
  readonly protocol: "grpc" | "connect";
  readonly httpVersion: "1.1" | "2";
  readonly userId: string;
}

/** Makes one call of a kind. Resolves with its units: 1 for GetUser, else the number of received messages. */
export type MakeCall = () => Promise<number>;

/** Figures of a client, as a line of JSON on standard output. */
export interface ClientResult {
  readonly units: number;
  readonly seconds: number;
  /** CPU time of the process for each unit, in microseconds. */
  readonly cpuMicros: number;
  /** Result of the first call: the user's name, or the number of messages. */
  readonly answer: string | number;
}

/**
 * Runs a client by the arguments of the command line, prints its result, and ends the process.
 *
 * @param open Opens the client. Each returned function makes a call; `check` resolves with the content of the answer.
 */
export async function measureClient(
  open: (args: ClientArgs) => Partial<Record<ClientCall, MakeCall>> & { check(): Promise<string> },
): Promise<never> {
  const { values } = parseArgs({
    options: {
      url: { type: "string", default: "" },
      token: { type: "string", default: "" },
      protocol: { type: "string", default: "grpc" },
      http: { type: "string", default: "2" },
      user: { type: "string", default: "" },
      call: { type: "string", default: "getUser" },
      seconds: { type: "string", default: "1" },
      "warm-up": { type: "string", default: "1" },
    },
  });
  const call = values.call as ClientCall;
  const protocol = values.protocol === "connect" ? "connect" : "grpc";
  const httpVersion = values.http === "1.1" ? "1.1" : "2";
  const client = open({ url: values.url, token: values.token, protocol, httpVersion, userId: values.user });
  const make = client[call];
  if (!make) throw new Error(`this client makes no calls of ${call}`);
  const answer = call === "getUser" ? await client.check() : await make();
  await load(make, IN_FLIGHT[call], Number(values["warm-up"]));
  const result = await load(make, IN_FLIGHT[call], Number(values.seconds));
  process.stdout.write(`${JSON.stringify({ ...result, answer })}\n`, () => process.exit(0));
  return new Promise(() => {});
}

async function load(make: MakeCall, inFlight: number, seconds: number): Promise<Omit<ClientResult, "answer">> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1_000;
  let units = 0;
  const work = async () => {
    while (performance.now() < endMs) {
      const made = await make();
      units += made;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  const { user, system } = process.cpuUsage(before);
  return { units, seconds: (performance.now() - startedMs) / 1_000, cpuMicros: (user + system) / units };
}
