import { childrenOf } from "@rollcall/testing/child-processes";
import type { Random } from "@rollcall/testing/random";
import type { PostgresServer } from "@rollcall/testing/start-postgres";
import { until } from "@rollcall/testing/start-server";

/** Ways to take a PostgreSQL server away. A way that resolves while the server runs has already restored it. */
export const outages: Readonly<Record<string, (postgres: PostgresServer, random: Random) => Promise<void>>> = {
  killed: (postgres) => postgres.kill(),
  paused: async (postgres) => postgres.pause(),
  stopped: (postgres) => postgres.stop(),
  "stopped at once": (postgres) => postgres.stop("immediate"),
  async restarted(postgres) {
    await postgres.stop();
    await postgres.start();
  },
  /** The postmaster then ends all other processes, and recovers. */
  async "one process killed"(postgres, random) {
    const countStarts = () => postgres.log().split("ready to accept").length;
    const starts = countStarts();
    await until(() => killIfThere(random.pick(childrenOf(postgres.pid as number))));
    await until(() => countStarts() > starts);
  },
};

/** Returns whether a process with this id existed. */
function killIfThere(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}
