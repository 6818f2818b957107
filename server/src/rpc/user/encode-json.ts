import { etagOf, type User } from "../../domain/user.ts";
import type { UserPage } from "../../service/users.ts";

/** Largest time that JSON can have, the end of the year 9999, in milliseconds. */
const MAX_TIME_MS = 253_402_300_799_999;

/**
 * Writes users as protobuf's JSON without making messages of them. `encode.test.ts` holds the text equal to that of
 * `toJsonString`.
 */
export function userJson(user: User): string {
  return `{"user":${fieldsOf(user)}}`;
}

/** Writes a page's answer: its users, and the token of the next page. */
export function userPageJson({ users, nextPageToken }: UserPage): string {
  const list = users.length === 0 ? "" : `"users":[${users.map(fieldsOf).join(",")}]`;
  const token = nextPageToken === "" ? "" : `"nextPageToken":${JSON.stringify(nextPageToken)}`;
  return `{${list}${list && token && ","}${token}}`;
}

/** Leaves out what is empty, as protobuf does (ProtoJSON: fields without presence). */
function fieldsOf(user: User): string {
  let text = user.id === "" ? "" : `"id":${JSON.stringify(user.id)},`;
  if (user.email !== "") text += `"email":${JSON.stringify(user.email)},`;
  if (user.name !== "") text += `"name":${JSON.stringify(user.name)},`;
  return `{${text}"createdAt":"${timeOf(user.createdAtMs)}","updatedAt":"${timeOf(user.updatedAtMs)}","etag":${JSON.stringify(etagOf(user))}}`;
}

/** Writes a google.protobuf.Timestamp. @throws RangeError for one beyond the year 9999. */
function timeOf(ms: number): string {
  if (ms > MAX_TIME_MS) throw new RangeError(`${ms} ms is later than the year 9999`);
  const text = new Date(ms).toISOString();
  return text.endsWith(".000Z") ? `${text.slice(0, -5)}Z` : text;
}
