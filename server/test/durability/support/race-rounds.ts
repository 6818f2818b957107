import { expect } from "vitest";
import type { UsersClient } from "./connect-users.ts";
import { countTogether, RACERS, raceForEmail, raceOfEtags, raceOfReplays } from "./race.ts";

const COUNTERS = 8;
const TIMES = 5;

/** Runs rounds of all races on one database, and expects one winner, one row and no lost update in each. */
export async function raceRounds(clients: readonly UsersClient[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const one = { users: [expect.anything()], agreed: true };
    expect(await raceForEmail({ clients, name: `e${round}` })).toMatchObject({
      ...one,
      outcomes: { done: 1, taken: RACERS - 1 },
    });
    expect(await raceOfReplays({ clients, name: `r${round}` })).toMatchObject({ ...one, outcomes: { done: RACERS } });
    expect(await raceOfEtags({ clients, name: `u${round}` })).toMatchObject({
      ...one,
      outcomes: { done: 1, stale: RACERS - 1 },
    });
    // Each client tries again and again, so this takes longer than the races.
    if (round % 10 === 0) expect(await countTogether({ clients, name: `c${round}` }, COUNTERS, TIMES)).toBe("40");
  }
}
