import { LAST_USER } from "@rollcall/testing/feed-seen";
import { withParts } from "@rollcall/testing/with-parts";
import type { ChangePlace } from "../../../src/domain/logged-change.ts";
import type { ChangeLog, ChangePage } from "../../../src/repository/change-log.ts";
import type { UserRepository } from "../../../src/repository/user-repository.ts";

/** One of this many changes is left out. */
const LEFT_OUT = 10;
const NOTHING_TRIMMED = { keptBehind: "0".repeat(11) };

function withPages(log: ChangeLog, turn: (page: ChangePage) => ChangePage): Partial<ChangeLog> {
  return { read: async (reading) => turn(await log.read(reading)) };
}

/** Returns the place of SQLite's log right before another one. */
function placeAheadOf(place: ChangePlace): ChangePlace {
  return Math.max(0, Number.parseInt(place, 36) - 1)
    .toString(36)
    .padStart(place.length, "0");
}

/** Logs that each lack the guard of one promise. */
const faults = {
  /** Lacks ORDER BY. */
  "is in no order": (log) => withPages(log, (page) => ({ ...page, changes: page.changes.toReversed() })),
  /** Uses >= instead of >. */
  "gives its last change again": (log) => ({
    read: ({ after, limit }) => log.read({ after: placeAheadOf(after), limit }),
  }),
  /** Lacks the rule that a place never passes changes that are still to come. */
  "passes some changes": (log) => {
    let count = 0;
    return withPages(log, (page) => ({
      ...page,
      changes: page.changes.filter(({ after }) => ++count % LEFT_OUT > 0 || after?.name === LAST_USER.name),
    }));
  },
  /** Knows only the changes that it still has. */
  "does not say what it has trimmed": (log) => ({
    ...withPages(log, (page) => ({ ...page, ...NOTHING_TRIMMED })),
    head: async () => ({ ...(await log.head()), ...NOTHING_TRIMMED }),
  }),
  /** Reads like a standby that lags behind. */
  "does not know what was just written": (log) => ({
    head: async () => ({ ...(await log.head()), written: "" }),
  }),
} satisfies Record<string, (log: ChangeLog) => Partial<ChangeLog>>;

export type LogFault = keyof typeof faults;

/** Returns the repository with a log that has this fault. */
export function withLogFault(real: UserRepository, fault: LogFault): UserRepository {
  return withParts(real, { changes: withParts(real.changes, faults[fault](real.changes)) });
}
