import { expect, test } from "vitest";
import { sendBombs } from "./support/bombs.ts";
import { startBystander } from "./support/bystander.ts";
import { startMeasuredServer } from "./support/measured-server.ts";

test.each(["br", "gzip", "zstd"] as const)(
  "%s bombs leave others as quick as messages in turn do",
  async (coding) => {
    const attack = async (codingThreads?: number) => {
      await using server = await startMeasuredServer(codingThreads ? { codingThreads } : {});
      const bystander = await startBystander(server.url, server.headers);
      const answers = await sendBombs(server.url, server.headers, { coding, streams: 64, messages: 3 });
      const { p99Ms, failures } = await bystander.stop();
      // Every stream was an upload, and must be acknowledged.
      expect(answers.filter((answer) => answer.includes("error"))).toEqual([]);
      expect(failures).toBe(0);
      return p99Ms;
    };
    const guarded = await attack();
    const open = await attack(1_000);
    expect(open).toBeGreaterThan(1.5 * guarded);
  },
  120_000,
);
