import { expect, test } from "vitest";
import { databases, sqlite } from "./support/databases.ts";
import { seedOf } from "./support/report.ts";
import { restartOneByOne } from "./support/rolling-restarts.ts";

test.each(databases)(
  "two servers on one database of $name are restarted one by one, and no caller sees a failed call",
  async (kind) => {
    const report = await restartOneByOne(kind, 1, seedOf());
    expect(report).toMatchObject({ restarts: 2, hits: 2, failures: [] });
  },
);

test("control: callers of servers that do not end their calls see some fail", async () => {
  const { failures } = await restartOneByOne(sqlite, 10, 1, "SIGKILL");
  expect(failures).not.toEqual([]);
});
