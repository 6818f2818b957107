/** `pnpm bench`: measures Rollcall and other servers in one run. README.md describes how. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { contestantsByName } from "./src/contestants.ts";
import { createContext } from "./src/context.ts";
import { hasProgram } from "./src/cores.ts";
import { latestFile, writeDocuments } from "./src/documents.ts";
import { buildGoProgram } from "./src/go-program.ts";
import { H2LOAD_IS_MISSING } from "./src/h2load.ts";
import { currentCommit, describeMachine } from "./src/machine.ts";
import { parseOptions, pick, USAGE } from "./src/options.ts";
import { profileGetUser } from "./src/profile/profile-get-user.ts";
import type { Results, WorkloadResult } from "./src/results.ts";
import { runWorkload } from "./src/run.ts";
import { writeHead, writeTable } from "./src/table.ts";
import { workloads } from "./src/workloads/index.ts";

const resultsFolder = join(import.meta.dirname, "results");

function readOptions() {
  if (process.argv.includes("--help")) {
    console.log(USAGE);
    process.exit(0);
  }
  try {
    const options = parseOptions(process.argv.slice(2));
    const chosen = pick(
      workloads.map(({ name }) => name),
      options.only,
    );
    return { options, chosen, contestants: pick([...contestantsByName.keys()], options.contestants) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** Runs the requested measurements. @throws Error in words when a contestant does not start, or answers wrongly. */
async function run({ options, chosen, contestants }: ReturnType<typeof readOptions>): Promise<Results> {
  const startedAt = new Date().toISOString();
  const context = await createContext(options);
  const names = new Set(contestants);
  const leftOut: string[] = [];
  const goIsMissing = names.has("grpc-go") ? buildGoProgram(context.folder) : undefined;
  if (goIsMissing !== undefined) {
    leftOut.push(goIsMissing);
    names.delete("grpc-go");
  }
  const canRunH2load = hasProgram("h2load");
  if (!canRunH2load) leftOut.push(H2LOAD_IS_MISSING);
  for (const reason of leftOut) console.error(reason);

  const results: WorkloadResult[] = [];
  for (const workload of workloads.filter(({ name }) => chosen.has(name))) {
    if (workload.needsH2load && !canRunH2load) continue;
    if (!workload.contestants.some((name) => names.has(name))) continue;
    const result = await runWorkload(context, workload, names, (line) => console.error(line));
    results.push(result);
    console.log(`${writeTable(result)}\n`);
  }
  return {
    startedAt,
    commit: currentCommit(),
    machine: describeMachine(),
    options: { rounds: options.rounds, seconds: options.seconds },
    leftOut,
    workloads: results,
  };
}

/** Saves a run as JSON. A complete run is also saved as the latest, and the documents that show it are updated. */
function keep(results: Results, isLatest: boolean): string {
  mkdirSync(resultsFolder, { recursive: true });
  const json = `${JSON.stringify(results, undefined, 2)}\n`;
  const file = join(resultsFolder, `${results.startedAt.replaceAll(":", "-")}.json`);
  writeFileSync(file, json);
  if (!isLatest) return `Written to ${file}`;
  writeFileSync(latestFile, json);
  return `Written to ${file}, latest.json, ${writeDocuments().join(", ")}`;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const request = readOptions();
try {
  const { options } = request;
  if (options.publishes) console.log(`Written: ${writeDocuments().join(", ")}`);
  else if (options.profiles) console.log(await profileGetUser(await createContext(options)));
  else {
    const results = await run(request);
    console.log(`${writeHead(results)}\n\n${keep(results, options.keeps)}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
