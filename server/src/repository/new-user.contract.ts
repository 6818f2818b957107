import type { User } from "../domain/user.ts";
import { randomUuidV7 } from "../runtime/uuid-v7.ts";

let count = 0;
/** Returns a user that differs from all others that a test has made. */
export const newUser = (fields: Partial<User> = {}): User => {
  count += 1;
  const email = `user${count}@example.com`;
  return {
    id: randomUuidV7(),
    email,
    name: `User ${count}`,
    createdAtMs: count,
    updatedAtMs: count,
    version: 1,
    ...fields,
  };
};
