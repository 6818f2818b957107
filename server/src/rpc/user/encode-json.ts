import { etagOf, type User } from "../../domain/user.ts";
import type { UserPage } from "../../service/users.ts";
import type { WatchEvent } from "../../service/watch-event.ts";

/** Largest time that JSON can have, the end of the year 9999, in milliseconds. */
const MAX_TIME_MS = 253_402_300_799_999;
const DAY_MS = 86_400_000;

/**
 * Writes users as protobuf's JSON without creating messages. `encode.test.ts` compares the text with that of
 * `toJsonString`.
 */
export function userJson(user: User): string {
  return `{"user":${fieldsOf(user)}}`;
}

/** Writes a page's answer: its users, the token of the next page, and the total number. */
export function userPageJson({ users, nextPageToken, totalSize, totalSizeExceeded }: UserPage): string {
  const fields: string[] = [];
  if (users.length > 0) fields.push(`"users":[${users.map(fieldsOf).join(",")}]`);
  if (nextPageToken !== "") fields.push(`"nextPageToken":${JSON.stringify(nextPageToken)}`);
  if (totalSize !== undefined) fields.push(`"totalSize":${totalSize}`);
  if (totalSizeExceeded) fields.push('"totalSizeExceeded":true');
  return `{${fields.join(",")}}`;
}

/** Writes a watch's event. */
export function watchEventJson({ kind, user, userId, resumeToken, changeId }: WatchEvent): string {
  const event = user ? fieldsOf(user) : userId === "" ? "{}" : `{"id":${JSON.stringify(userId)}}`;
  let text = `{"${kind}":${event}`;
  if (resumeToken !== "") text += `,"resumeToken":"${resumeToken}"`;
  if (changeId !== "") text += `,"changeId":"${changeId}"`;
  return `${text}}`;
}

/** Leaves out empty fields, as protobuf does (ProtoJSON: fields without presence). */
function fieldsOf(user: User): string {
  let text = user.id === "" ? "" : `"id":${JSON.stringify(user.id)},`;
  if (user.email !== "") text += `"email":${JSON.stringify(user.email)},`;
  if (user.name !== "") text += `"name":${JSON.stringify(user.name)},`;
  return `{${text}"createdAt":"${timeOf(user.createdAtMs)}","updatedAt":"${timeOf(user.updatedAtMs)}","etag":${JSON.stringify(etagOf(user))}}`;
}

/**
 * Day of the last time that was written, in days since 1970, and its text up to the `T`. The next time usually falls on
 * the same day.
 */
let lastDay = Number.NaN;
let lastDayText = "";

/**
 * Writes a google.protobuf.Timestamp, four times as fast as Date.
 *
 * @throws RangeError for a time after the year 9999.
 */
function timeOf(ms: number): string {
  if (ms > MAX_TIME_MS) throw new RangeError(`${ms} ms is later than the year 9999`);
  const day = Math.floor(ms / DAY_MS);
  if (day !== lastDay) {
    lastDayText = new Date(ms).toISOString().slice(0, -13);
    lastDay = day;
  }
  const rest = ms - day * DAY_MS;
  const seconds = Math.floor(rest / 1_000);
  const millis = rest - seconds * 1_000;
  const minutes = Math.floor(seconds / 60);
  const time = `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}:${twoDigits(seconds % 60)}`;
  return lastDayText + time + (millis === 0 ? "Z" : `.${String(millis).padStart(3, "0")}Z`);
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
