import { type Model, UNKNOWN } from "@rollcall/testing/linearizability/model";
import type { Refusal } from "./outcome.ts";

export interface ModelUser {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly etag: string;
}

export type UserInput =
  | { readonly kind: "create"; readonly email: string; readonly name: string; readonly requestId: string }
  | { readonly kind: "get"; readonly id: string }
  | {
      readonly kind: "update";
      readonly id: string;
      readonly email?: string;
      readonly name: string;
      /** Undefined for a change without a condition. */
      readonly etag?: string | undefined;
    }
  | { readonly kind: "delete"; readonly id: string; readonly etag?: string | undefined }
  | { readonly kind: "list" };

export type UserOutput = ModelUser | readonly ModelUser[] | "done" | Refusal;

/** Users by id, and the answers to creates with a request id. */
interface State {
  readonly users: ReadonlyMap<string, ModelUser>;
  readonly answers: ReadonlyMap<string, ModelUser>;
}

/**
 * Creates a model of the directory in which one call comes after the other, as the contract promises. Etags are
 * versions from 1 on, so a change that was made twice is visible.
 *
 * @param idOf Returns the id of the user that a create made, by its name, or undefined if no call has ever seen it.
 */
export function createUserModel(idOf: (name: string) => string | undefined): Model<State, UserInput, UserOutput> {
  return {
    initial: { users: new Map(), answers: new Map() },
    step(state, input, output) {
      const { after, answer } = apply(state, input, idOf);
      return output === UNKNOWN || isSame(answer, output) ? after : undefined;
    },
    keyOf: ({ users, answers }) =>
      [...users.values()]
        .map(({ id, email, name, etag }) => `${id} ${email} ${name} ${etag}`)
        .toSorted()
        .join() + [...answers.keys()].toSorted().join(),
  };
}

function apply(
  state: State,
  input: UserInput,
  idOf: (name: string) => string | undefined,
): { after: State; answer: UserOutput } {
  const { users, answers } = state;
  const refuse = (answer: Refusal) => ({ after: state, answer });
  const isTaken = (email: string, id?: string) => users.values().some((user) => user.email === email && user.id !== id);
  if (input.kind === "list") return { after: state, answer: [...users.values()] };
  if (input.kind === "create") {
    const { email, name, requestId } = input;
    const replayed = answers.get(requestId);
    if (replayed) return replayed.name === name ? { after: state, answer: replayed } : refuse("invalid");
    if (isTaken(email)) return refuse("taken");
    const user = { id: idOf(name) ?? `of ${name}`, email, name, etag: '"1"' };
    return {
      after: {
        users: new Map(users).set(user.id, user),
        answers: requestId === "" ? answers : new Map(answers).set(requestId, user),
      },
      answer: user,
    };
  }
  const user = users.get(input.id);
  if (!user) return refuse("not found");
  if (input.kind === "get") return { after: state, answer: user };
  if (input.etag !== undefined && input.etag !== user.etag) return refuse("stale");
  const changed = new Map(users);
  if (input.kind === "delete") {
    changed.delete(input.id);
    return { after: { users: changed, answers }, answer: "done" };
  }
  const { email = user.email, name } = input;
  if (isTaken(email, user.id)) return refuse("taken");
  const version = Number(user.etag.slice(1, -1)) + 1;
  const after = { id: user.id, email, name, etag: `"${version}"` };
  changed.set(user.id, after);
  return { after: { users: changed, answers }, answer: after };
}

function isSame(expected: UserOutput, actual: UserOutput): boolean {
  const textOf = (output: UserOutput) =>
    Array.isArray(output)
      ? output.map(textOfUser).toSorted().join()
      : typeof output === "string"
        ? output
        : textOfUser(output as ModelUser);
  return textOf(expected) === textOf(actual);
}

function textOfUser({ id, email, name, etag }: ModelUser): string {
  return JSON.stringify([id, email, name, etag]);
}
