import type { ContextValues, ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "@rollcall/gen/user/v1/user";
import { GrowingBuffer } from "@rollcall/shared/growing-buffer";
import type { User } from "../../domain/user.ts";
import type { UserChanges } from "../../service/user-changes.ts";
import type { Users } from "../../service/users.ts";
import { callKey, principalKey } from "../context.ts";
import { EncodedUserPageAnswer, UserAnswer, UserPageAnswer } from "./answers.ts";
import { encodeUser } from "./encode.ts";
import { toUserChange, toUserChangeMessage, toUserQuery } from "./mapper.ts";
import { WatchAnswers } from "./watch-answer.ts";

/** Initial size of a page of encoded users, in bytes: enough for 100 of the usual size. */
const FIRST_PAGE_BYTES = 12 * 1_024;

/** Implements user.v1.UserService with the directory's use cases. */
export function userHandlers(users: Users, changes: UserChanges): ServiceImpl<typeof UserService> {
  return {
    getUser({ id }) {
      const user = users.get(id);
      return user instanceof Promise ? user.then(toAnswer) : toAnswer(user);
    },
    async batchGetUsers({ ids }) {
      return new UserPageAnswer({ users: await users.getMany(ids), nextPageToken: "" });
    },
    async listUsers(request, { signal }) {
      const { pageSize, pageToken, filter, orderBy, includeTotalSize } = request;
      if (filter === "" && orderBy === "" && !includeTotalSize) {
        const page = new GrowingBuffer(Number.MAX_SAFE_INTEGER, Buffer.allocUnsafeSlow(FIRST_PAGE_BYTES), 0);
        const nextPageToken = await users.listEncoded(pageSize, pageToken, encodeUser, page, signal);
        if (nextPageToken !== undefined) return new EncodedUserPageAnswer(page, nextPageToken);
      }
      return new UserPageAnswer(await users.list(toUserQuery(request), signal));
    },
    async createUser({ email, name, requestId }, { values }) {
      const user = await users.create({ email, name }, requestId, values.get(principalKey));
      nameResource(values, user.id);
      return new UserAnswer(user);
    },
    async updateUser(request, { values }) {
      nameResource(values, request.id);
      return new UserAnswer(
        await users.update(request.id, toUserChange(request), request.etag, values.get(principalKey)),
      );
    },
    async deleteUser({ id, etag }, { values }) {
      nameResource(values, id);
      await users.delete(id, etag, values.get(principalKey));
      return { success: true };
    },
    watchUsers(request) {
      return new WatchAnswers(changes.watch(request));
    },
    async getUserHistory({ id, pageSize, pageToken }) {
      const page = await changes.history({ userId: id, pageSize, pageToken });
      return { changes: page.changes.map(toUserChangeMessage), nextPageToken: page.nextPageToken };
    },
  };
}

function toAnswer(user: User): UserAnswer {
  return new UserAnswer(user);
}

/** Names the resource that the call changes, for its record. */
function nameResource(values: ContextValues, id: string): void {
  const call = values.get(callKey);
  if (call) call.resource = id;
}
