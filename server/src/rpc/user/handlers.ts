import type { ContextValues, ServiceImpl } from "@connectrpc/connect";
import type { UserService } from "@rollcall/gen/user/v1/user";
import type { Users } from "../../service/users.ts";
import { callKey, principalKey } from "../context.ts";
import { toUserChange, toUserMessage } from "./mapper.ts";

/** Implements user.v1.UserService with the directory's use cases. */
export function userHandlers(users: Users): ServiceImpl<typeof UserService> {
  return {
    async getUser({ id }) {
      return { user: toUserMessage(await users.get(id)) };
    },
    async listUsers({ pageSize, pageToken, filter }, { signal }) {
      const page = await users.list(pageSize, pageToken, filter, signal);
      return { users: page.users.map(toUserMessage), nextPageToken: page.nextPageToken };
    },
    async createUser({ email, name, requestId }, { values }) {
      const user = await users.create({ email, name }, requestId, values.get(principalKey));
      nameResource(values, user.id);
      return { user: toUserMessage(user) };
    },
    async updateUser(request, { values }) {
      nameResource(values, request.id);
      return { user: toUserMessage(await users.update(request.id, toUserChange(request), request.etag)) };
    },
    async deleteUser({ id, etag }, { values }) {
      nameResource(values, id);
      await users.delete(id, etag);
      return { success: true };
    },
  };
}

/** Names the resource that the call changes, for its record. */
function nameResource(values: ContextValues, id: string): void {
  const call = values.get(callKey);
  if (call) call.resource = id;
}
