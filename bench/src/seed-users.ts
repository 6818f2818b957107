import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CreateUserRequestSchema, CreateUserResponseSchema } from "@rollcall/gen/user/v1/user";
import { envelope } from "../contestants/shared/messages.ts";
import { SEEDED_USERS, seededUsers, seedOf } from "../contestants/shared/users.ts";
import { callUnary, openSession } from "../load/grpc-session.ts";
import type { Target } from "./target.ts";

/** Users that are created at the same time. */
const BATCH = 50;

/**
 * Creates the users in Rollcall that the other contestants have at their start.
 *
 * @returns The id of the first user.
 */
export async function seedUsers({ contestant, url, token, ca }: Target): Promise<string> {
  if (!contestant.isRollcall) return seededUsers()[0]?.id ?? "";
  const session = openSession(url, ca);
  const createUser = async (index: number): Promise<string> => {
    const body = envelope(toBinary(CreateUserRequestSchema, create(CreateUserRequestSchema, seedOf(index))));
    const reply = await callUnary(session, "/user.v1.UserService/CreateUser", token, body);
    return fromBinary(CreateUserResponseSchema, reply).user?.id ?? "";
  };
  const firstId = await createUser(0);
  for (let index = 1; index < SEEDED_USERS; index += BATCH) {
    const count = Math.min(BATCH, SEEDED_USERS - index);
    await Promise.all(Array.from({ length: count }, (_, offset) => createUser(index + offset)));
  }
  session.close();
  return firstId;
}
