import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkReplies } from "../check-replies.ts";
import { onLoadCore } from "../cores.ts";
import { cpuMicrosEach } from "../process-stats.ts";
import { Requests } from "../requests.ts";
import { startTarget } from "../target.ts";
import { cpuMetric, type Workload } from "./workload.ts";

const GENERATOR = join(import.meta.dirname, "../../load/create-users.ts");
const runFile = promisify(execFile);

/** The report that the generator prints. */
interface CreateResult {
  readonly calls: number;
  readonly seconds: number;
  /** Share of a core that the generator used. */
  readonly loadCores: number;
}

export const createUsers: Workload = {
  name: "create-grpc",
  title: "CreateUser, gRPC, each answer durable, 64 in flight",
  metrics: [
    { name: "perSecond", title: "calls/s", unit: "calls/s", digits: 0, isRate: true },
    cpuMetric("call"),
    { name: "loadPercent", title: "load's core %", unit: "%", digits: 0 },
  ],
  contestants: [
    "bare-http2",
    "rollcall",
    "rollcall-stock",
    "connect-fastify",
    "connect-fastify-work",
    "grpc-js",
    "grpc-js-work",
    "nice-grpc",
    "nice-grpc-work",
  ],
  needsH2load: false,
  async open(context, contestant) {
    const target = await startTarget(context, contestant);
    const run = async (seconds: number): Promise<CreateResult> => {
      const args = [GENERATOR, String(target.port), context.token, String(seconds)];
      const { stdout } = await runFile(...onLoadCore(process.execPath, args));
      return JSON.parse(stdout) as CreateResult;
    };
    try {
      await checkReplies(target, "createUser", "grpc", new Requests(context.folder, context.token), "");
      await run(context.options.warmUpSeconds);
    } catch (error) {
      await target[Symbol.asyncDispose]();
      throw error;
    }
    return {
      async measure() {
        const { result, units, cpuMicros } = await cpuMicrosEach(
          target.pid,
          () => run(context.options.seconds),
          ({ calls }) => calls,
        );
        return { perSecond: units / result.seconds, cpuMicros, loadPercent: result.loadCores * 100 };
      },
      [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
    };
  },
};
