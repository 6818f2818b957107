import { contestantsByName } from "./contestants.ts";
import type { Context } from "./context.ts";
import type { Entry, WorkloadResult } from "./results.ts";
import { ratioOf, type Spread, spreadOf } from "./statistics.ts";
import type { Sample, Session, Workload } from "./workloads/workload.ts";

/** Measures the contestants of a workload in turn, round by round. */
export async function runWorkload(
  context: Context,
  workload: Workload,
  names: ReadonlySet<string>,
  report: (line: string) => void,
): Promise<WorkloadResult> {
  await using sessions = new AsyncDisposableStack();
  const opened: { name: string; session: Session; samples: Sample[] }[] = [];
  for (const name of workload.contestants.filter((one) => names.has(one))) {
    const contestant = contestantsByName.get(name);
    if (!contestant) throw new Error(`there is no contestant ${name}`);
    report(`${workload.name}: starts ${name}`);
    opened.push({ name, session: sessions.use(await workload.open(context, contestant)), samples: [] });
  }
  const rounds = Math.min(context.options.rounds, workload.maxRounds ?? context.options.rounds);
  for (let round = 1; round <= rounds; round++) {
    for (const { name, session, samples } of opened) {
      report(`${workload.name}: round ${round} of ${rounds}, ${name}`);
      samples.push(await session.measure());
    }
  }
  return summarise(workload, opened);
}

function summarise(
  workload: Workload,
  measured: readonly { name: string; samples: readonly Sample[] }[],
): WorkloadResult {
  const { name, title, metrics, limit = "bare-http2", httpLimit = "bare-http" } = workload;
  const valuesOf = (samples: readonly Sample[]): Record<string, Spread> =>
    Object.fromEntries(
      metrics.flatMap((metric) => {
        const values = samples.map((sample) => sample[metric.name]).filter((value) => value !== undefined);
        return values.length > 0 ? [[metric.name, spreadOf(values)]] : [];
      }),
    );
  const entries = measured.map(({ name: contestant, samples }) => ({
    contestant,
    label: contestantsByName.get(contestant)?.label ?? contestant,
    values: valuesOf(samples),
  }));
  const rate = metrics.find(({ isRate }) => isRate)?.name;
  const rateOf = (one: string): Spread | undefined =>
    rate === undefined ? undefined : entries.find(({ contestant }) => contestant === one)?.values[rate];
  const ratios = (entry: { values: Record<string, Spread> }): Pick<Entry, "ofHttp2" | "ofHttp"> => {
    const value = rate === undefined ? undefined : entry.values[rate];
    return { ofHttp2: ratioOf(value, rateOf(limit)), ofHttp: ratioOf(value, rateOf(httpLimit)) };
  };
  return { name, title, metrics, entries: entries.map((entry) => ({ ...entry, ...ratios(entry) })) };
}
