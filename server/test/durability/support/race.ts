import type { User } from "@rollcall/gen/user/v1/user";
import { CALL, type UsersClient } from "./connect-users.ts";
import { outcomeOf } from "./outcome.ts";

/** Number of calls in a race. */
export const RACERS = 100;

/** Outcomes of a race's calls, each with its number of calls, and the users that exist afterwards. */
export interface RaceOutcome {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly users: readonly Pick<User, "email" | "name" | "etag">[];
  /** Whether each caller that got a user got the one that exists. */
  readonly agreed: boolean;
}

interface Race {
  /** Clients of one server or of several. */
  readonly clients: readonly UsersClient[];
  /** Name that distinguishes the race from others on the same database. */
  readonly name: string;
}

/** Creates users with one e-mail, in different case, all at the same time. Only one may win. */
export function raceForEmail(race: Race): Promise<RaceOutcome> {
  return runRace(race, (client, number) => {
    const local = number % 2 ? race.name.toUpperCase() : race.name;
    return client.createUser({ email: `${local}@example.com`, name: `Racer ${number}` }, CALL);
  });
}

/** Sends one create, with its request id, many times at the same time. All calls get the same user. */
export function raceOfReplays(race: Race): Promise<RaceOutcome> {
  const request = { email: `${race.name}@example.com`, name: race.name, requestId: race.name };
  return runRace(race, (client) => client.createUser(request, CALL));
}

/** Changes one user by one etag, many times at the same time. Only one change may win. */
export async function raceOfEtags(race: Race): Promise<RaceOutcome> {
  const { user } = await clientOf(race, 0).createUser({ email: `${race.name}@example.com`, name: race.name }, CALL);
  if (!user) throw new Error("no user in the answer");
  const { id, etag } = user;
  return runRace(race, (client, number) => client.updateUser({ id, etag, name: `Racer ${number}` }, CALL));
}

/**
 * Counts in a user's name: each of `counters` clients adds one `times` times, and starts over whenever its etag is
 * stale. Returns the name at the end, which must be the product of both numbers.
 */
export async function countTogether(race: Race, counters: number, times: number): Promise<string | undefined> {
  const created = await clientOf(race, 0).createUser({ email: `${race.name}@example.com`, name: "0" }, CALL);
  const { id = "" } = created.user ?? {};
  const count = async (client: UsersClient) => {
    for (let done = 0; done < times; ) {
      const { user } = await client.getUser({ id }, CALL);
      const name = `${Number(user?.name) + 1}`;
      const outcome = await client
        .updateUser({ id, name, etag: user?.etag ?? "" }, CALL)
        .then(() => undefined, outcomeOf);
      if (outcome === undefined) done += 1;
      else if (outcome !== "stale") throw new Error(`counting ended: ${String(outcome)}`);
    }
  };
  await Promise.all(Array.from({ length: counters }, (_, number) => count(clientOf(race, number))));
  return (await clientOf(race, 0).getUser({ id }, CALL)).user?.name;
}

async function runRace(
  race: Race,
  call: (client: UsersClient, number: number) => Promise<{ user?: User | undefined }>,
): Promise<RaceOutcome> {
  const answers = await Promise.all(
    Array.from({ length: RACERS }, async (_, number) => {
      try {
        return (await call(clientOf(race, number), number)).user;
      } catch (error) {
        return outcomeOf(error);
      }
    }),
  );
  const outcomes: Record<string, number> = {};
  for (const answer of answers) {
    const outcome = typeof answer === "object" ? "done" : String(answer);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  const { users } = await clientOf(race, 1).listUsers({ filter: `${race.name}@example.com`, pageSize: RACERS }, CALL);
  const told = answers.filter((answer) => typeof answer === "object");
  const agreed = told.every(
    ({ id, name, etag }) => id === users[0]?.id && name === users[0].name && etag === users[0].etag,
  );
  return { outcomes, users: users.map(({ email, name, etag }) => ({ email, name, etag })), agreed };
}

function clientOf({ clients }: Race, number: number): UsersClient {
  const client = clients[number % clients.length];
  if (!client) throw new Error("no client");
  return client;
}
