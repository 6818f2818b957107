import { join } from "node:path";
import { contestantsByName } from "../contestants.ts";
import type { Context } from "../context.ts";
import { INSPECT_ARGS, recordProfile } from "../inspector.ts";
import { cpuMicrosEach } from "../process-stats.ts";
import { openLoaded } from "../workloads/rate.ts";
import { rateOptions } from "../workloads/rates.ts";
import { sharesOf } from "./cpu-profile.ts";
import { createPlaces } from "./places.ts";

const MAP_FILE = join(import.meta.dirname, "../../../dist/rollcall-server/server/dist/server.mjs.map");
const PROFILED_SECONDS = 10;
const WORKLOADS = ["get-grpc", "get-connect-json-h1"];
/** Share below which places are added up. */
const LEAST_SHARE = 0.005;

/** Shows where Rollcall's bundle spends its CPU time while it answers GetUser: a table for each of two protocols. */
export async function profileGetUser(context: Context): Promise<string> {
  const rollcall = contestantsByName.get("rollcall");
  if (!rollcall) throw new Error("Rollcall is no contestant");
  const placeOf = createPlaces(MAP_FILE);
  const tables: string[] = [];
  for (const options of rateOptions.filter(({ name }) => WORKLOADS.includes(name))) {
    await using loaded = await openLoaded(context, rollcall, { ...options, nodeArgs: INSPECT_ARGS });
    const bound = { seconds: PROFILED_SECONDS };
    const { result, cpuMicros = Number.NaN } = await cpuMicrosEach(
      loaded.target.pid,
      () => recordProfile(loaded.target, () => loaded.run({ bound })),
      ({ result: { calls } }) => calls,
    );
    const shares = sharesOf(result.profile, placeOf);
    const listed = shares.filter(({ share }) => share >= LEAST_SHARE);
    const rest = shares.slice(listed.length).reduce((sum, { share }) => sum + share, 0);
    const lines = [...listed, { place: "everything else", share: rest, functions: [] }].map(
      ({ place, share, functions }) =>
        [
          formatPercent(share).padStart(6),
          (share * cpuMicros).toFixed(1).padStart(6),
          place.padEnd(44),
          functions.map((one) => `${one.name} ${formatPercent(one.share)}`).join(", "),
        ].join("  "),
    );
    const head = ["share", "µs"].map((title) => title.padStart(6)).join("  ");
    tables.push(
      `${options.title}: ${cpuMicros.toFixed(1)} µs of CPU a call, profiler included\n${head}  place\n${lines.join("\n")}`,
    );
  }
  return tables.join("\n\n");
}

function formatPercent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
