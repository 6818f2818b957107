import { DatabaseSync } from "node:sqlite";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import type { UserRepository } from "../../src/repository/user-repository.ts";
import {
  cpuMsSince,
  createLargeDirectory,
  type LargeDirectory,
  longestTurns,
  longestTurnsOfPages,
  ORDERS,
  USERS,
} from "./support/large-directory.ts";

/**
 * Factor by which a turn must be shorter than the one query's hold of the loop. Turns take some 5 ms and the query a
 * second. The rest is room for garbage collections and for the test's own clients, which share the thread.
 */
const TIMES_SHORTER = 40;

let directory: LargeDirectory;
let path: string;
let repository: UserRepository;
/** Time for which one query for one letter held the loop, in milliseconds. */
let controlMs: number;

beforeAll(async () => {
  directory = await createLargeDirectory();
  ({ path, repository, controlMs } = directory);
});

afterAll(() => directory[Symbol.asyncDispose]());

describe(`with ${USERS} users`, () => {
  test("no page, filter, order or place holds the event loop, and each gives what one query gives", async () => {
    // Each filter is combined with half of the orders, and each order with half of the filters. The long form tests all
    // pairs.
    const turns = await longestTurnsOfPages(directory, (filter, order) => (filter + (order >> 1)) % 2 === 0);
    const [page, ms] = turns.toSorted(([, a], [, b]) => b - a)[0] ?? [];
    console.log(`longest turn ${ms} ms (${page}), the one query ${controlMs} ms`);
    expect(ms).toBeLessThan(controlMs / TIMES_SHORTER);
  });

  test("a search holds no transaction between its turns, so the log can be emptied meanwhile", async () => {
    const other = new DatabaseSync(path);
    const isKept = () => {
      other.exec("INSERT OR REPLACE INTO properties VALUES ('write_check', randomblob(8))");
      return other.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.busy === 1;
    };
    const reader = new DatabaseSync(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT 1 FROM users").get();
    expect(isKept()).toBe(true);
    reader.close();

    let isSearching = true;
    const search = repository.list({ limit: 1_001, words: ["even", "odd"] }).finally(() => {
      isSearching = false;
    });
    let checks = 0;
    for (; isSearching; checks++) {
      expect(isKept()).toBe(false);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await search;
    other.close();
    expect(checks).toBeGreaterThan(10);
  });

  test("a crowd of searches holds it no longer than one", async () => {
    const crowd = () =>
      Promise.all(
        Array.from({ length: 20 }, (_, index) => {
          const words = [["p"], ["user"], [], ["rare"], ["even", "odd"]][index % 5] ?? [];
          const options = { words, order: ORDERS[index % ORDERS.length], limit: 1_001 };
          return index % 3 ? repository.list(options) : repository.count({ words, limit: 10_001 });
        }),
      );
    const longestMs: number[] = [];
    const isShort = (ms: number) => ms < controlMs / (2 * TIMES_SHORTER);
    do longestMs.push((await longestTurns(crowd))[0] ?? Number.NaN);
    while (longestMs.length < 4 && !longestMs.some(isShort));
    console.log(`longest turns ${longestMs} ms, the one query ${controlMs} ms`);
    // If turns were too long, each crowd would cause one. A garbage collection lengthens only some turns.
    expect(longestMs.some(isShort)).toBe(true);
  });

  test("a crowd of writes shares it with others", async () => {
    const [ms] = await longestTurns(() =>
      Promise.all(
        Array.from({ length: 1_024 }, (_, index) => {
          const user = { id: `new-${index}`, email: `new-${index}@example.com`, name: `New ${index}` };
          const key = { principal: "ada", requestId: `${index}`, requestHash: "", notBeforeMs: 0 };
          return repository.insert({ ...user, createdAtMs: 2e12, updatedAtMs: 2e12, version: 1 }, key);
        }),
      ),
    );
    console.log(`longest turn ${ms} ms, the one query ${controlMs} ms`);
    expect(ms).toBeLessThan(controlMs / TIMES_SHORTER);
  });

  // Binary and JSON have different encoders.
  test.each<[string, (baseUrl: string) => Transport]>([
    ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
    ["Connect JSON", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
  ])("four clients that search for one letter over %s stall nobody", async (_protocol, connect) => {
    await using server = await startServer({ repository: openSqliteUserRepository({ path }) });
    const users = createClient(UserService, connect(server.url));
    const headers = await server.auth();
    const first = await users.listUsers({ filter: "P" }, { headers });
    expect(first.users[0]?.name).toBe("rare even");
    const turnsMs = await longestTurns(() =>
      Promise.all(
        Array.from({ length: 4 }, async () => {
          for (let round = 0; round < 3; round++) {
            expect((await users.listUsers({ filter: "p" }, { headers })).users).toHaveLength(50);
          }
        }),
      ),
    );
    console.log(`longest turns ${turnsMs} ms, the one query ${controlMs} ms`);
    // If turns were too long, every search would cause one. Compiling and garbage collections cause only a few.
    expect(turnsMs[3]).toBeLessThan(controlMs / TIMES_SHORTER);
  });

  test("a search whose caller has gone stops", async () => {
    await using server = await startServer({ repository: openSqliteUserRepository({ path }) });
    const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
    const headers = await server.auth();
    const search = async () => {
      const startedAt = process.threadCpuUsage();
      await users.listUsers({ filter: "p" }, { headers });
      return cpuMsSince(startedAt);
    };
    await search();
    const aloneMs = await search();
    const gone = Array.from({ length: 100 }, (_, index) =>
      // Half of the calls end by their deadline, half by leaving.
      index % 2
        ? users.listUsers({ filter: "p" }, { headers, timeoutMs: 100 })
        : users.listUsers({ filter: "p" }, { headers, signal: AbortSignal.timeout(100) }),
    );
    const outcomes = await Promise.allSettled(gone);
    const codes = outcomes.map((outcome) =>
      outcome.status === "rejected" ? Code[ConnectError.from(outcome.reason).code] : "OK",
    );
    const over = codes.filter((code) => code !== "OK").length;
    expect(over).toBeGreaterThan(50);
    expect(new Set(codes)).toContain("DeadlineExceeded");
    // Searches that still ran would take their time now, each as much as this one.
    const afterMs = await search();
    console.log(`a search takes ${aloneMs} ms alone, ${afterMs} ms after ${over} were left`);
    expect(afterMs).toBeLessThan((aloneMs * over) / 4);
  });
});
