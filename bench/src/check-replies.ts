import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { STREAM_MESSAGES } from "../contestants/shared/settings.ts";
import { seedOf } from "../contestants/shared/users.ts";
import { PAGE_SIZE, type Requests, type Wire } from "./requests.ts";
import type { Target } from "./target.ts";

const UPLOAD_CHECK_CHUNKS = 8;

/** Kind of call that is checked. */
export type Checked = "getUser" | "listUsers" | "createUser" | "serverStream" | "clientStream" | "bidirectionalStream";

/**
 * Makes a call through a stock client and checks the answer, since h2load reads no grpc-status and no message.
 *
 * @throws Error that names the contestant and its answer.
 */
export async function checkReplies(target: Target, call: Checked, wire: Wire, requests: Requests, userId: string) {
  const { contestant } = target;
  try {
    const answer =
      contestant.api === "rpc"
        ? await checks[call](createTransport(target, wire), { authorization: `Bearer ${target.token}` }, userId)
        : await fetchUser(target, requests, userId);
    if (contestant.isLimit && call !== "serverStream") return;
    if (!isDeepStrictEqual(answer.actual, answer.expected)) {
      throw new Error(`expected ${JSON.stringify(answer.expected)}, got ${JSON.stringify(answer.actual)}`);
    }
  } catch (error) {
    throw new Error(`${contestant.name} answers ${call} wrongly: ${error instanceof Error ? error.message : error}`);
  }
}

interface Answer {
  readonly actual: unknown;
  readonly expected: unknown;
}

type Check = (transport: Transport, headers: Record<string, string>, userId: string) => Promise<Answer>;

const checks: Readonly<Record<Checked, Check>> = {
  async getUser(transport, headers, userId) {
    const { user } = await createClient(UserService, transport).getUser({ id: userId }, { headers });
    return { actual: nameOf(user), expected: { id: userId, ...seedOf(0) } };
  },
  async listUsers(transport, headers) {
    const { users } = await createClient(UserService, transport).listUsers({ pageSize: PAGE_SIZE }, { headers });
    return { actual: [users.length, users[0]?.name], expected: [PAGE_SIZE, seedOf(0).name] };
  },
  async createUser(transport, headers) {
    const fields = { email: `${randomUUID()}@example.com`, name: "Check" };
    const { user } = await createClient(UserService, transport).createUser(fields, { headers });
    return { actual: { email: user?.email, name: user?.name }, expected: fields };
  },
  async serverStream(transport, headers) {
    const sequences: number[] = [];
    for await (const { sequence } of createClient(StreamService, transport).serverStream({ query: "x" }, { headers })) {
      sequences.push(sequence);
    }
    return { actual: [sequences.length, sequences.at(-1)], expected: [STREAM_MESSAGES, STREAM_MESSAGES - 1] };
  },
  async clientStream(transport, headers) {
    const chunk = new Uint8Array(64 * 1_024).fill(7);
    const hash = createHash("sha256");
    const chunks = Array<Uint8Array>(UPLOAD_CHECK_CHUNKS).fill(chunk);
    for (const part of chunks) hash.update(part);
    async function* upload() {
      for (const part of chunks) yield { chunk: part };
    }
    const { totalBytes, checksum } = await createClient(StreamService, transport).clientStream(upload(), { headers });
    const expected = [UPLOAD_CHECK_CHUNKS * chunk.byteLength, hash.digest("hex")];
    return { actual: [Number(totalBytes), checksum], expected };
  },
  async bidirectionalStream(transport, headers) {
    const replies: string[] = [];
    async function* messages() {
      for (let count = 0; count < 3; count++) yield { message: "ping" };
    }
    for await (const { reply } of createClient(StreamService, transport).bidirectionalStream(messages(), { headers })) {
      replies.push(reply);
    }
    return { actual: replies, expected: Array(3).fill("Echo: ping") };
  },
};

function createTransport({ url, ca }: Target, wire: Wire): Transport {
  const nodeOptions = ca === undefined ? {} : { ca };
  if (wire === "grpc") return createGrpcTransport({ baseUrl: url, nodeOptions });
  const useBinaryFormat = wire === "connect-proto-h2";
  return createConnectTransport({
    baseUrl: url,
    httpVersion: useBinaryFormat ? "2" : "1.1",
    useBinaryFormat,
    nodeOptions,
  });
}

async function fetchUser({ url, contestant }: Target, requests: Requests, userId: string): Promise<Answer> {
  const { path, headers, bodyFile } = requests.getUser(userId, "connect-json-h1", contestant.api);
  const post = bodyFile === undefined ? {} : { method: "POST", body: await readFile(bodyFile) };
  const response = await fetch(`${url}${path}`, { headers, ...post });
  if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
  const reply = (await response.json()) as { user?: Named; result?: { data: { user?: Named } } };
  return { actual: nameOf(reply.user ?? reply.result?.data.user), expected: { id: userId, ...seedOf(0) } };
}

interface Named {
  readonly id: string;
  readonly email: string;
  readonly name: string;
}

function nameOf(user: Named | undefined): Named | undefined {
  return user && { id: user.id, email: user.email, name: user.name };
}
