import { etagOf, type User } from "../../domain/user.ts";
import type { UserPage } from "../../service/users.ts";
import type { WatchEvent } from "../../service/watch-event.ts";

/**
 * Writes users as protobuf's bytes without creating messages. `encode.test.ts` compares the bytes with those of
 * `toBinary`. The fields of user.v1.User are numbered 1 to 6, in this order; both answers begin with their users.
 */
const LENGTH_DELIMITED = 2;
const VARINT = 0;
/** Bytes reserved for a length that is not known yet. If it needs more, the bytes after it are moved. */
const LENGTH_BYTES = 1;
/** Longest text whose characters are checked one by one. For longer ones a call of Node.js is faster. */
const MAX_SHORT_LENGTH = 64;
const MIN_ROOM_BYTES = 64 * 1_024;

/**
 * Buffer that all answers are written into, one after the other. It is kept while it is not larger than nearly all
 * answers need.
 */
let room = Buffer.allocUnsafeSlow(MIN_ROOM_BYTES);
let end = 0;

/** Returns the bytes of an answer whose only field is a user. */
export function encodeUser(user: User): Uint8Array {
  begin(userBytes(user));
  writeUser(user);
  return finish();
}

/** Returns the bytes of a page's answer: its users, the token of the next page, and the total number. */
export function encodeUserPage({ users, nextPageToken, totalSize, totalSizeExceeded }: UserPage): Uint8Array {
  begin(users.reduce((sum, user) => sum + userBytes(user), 3 * nextPageToken.length + 32));
  for (const user of users) writeUser(user);
  writeText(2, nextPageToken);
  if (totalSize !== undefined) writeNumber(3, totalSize);
  if (totalSizeExceeded) writeNumber(4, 1);
  return finish();
}

/** Numbers of the fields of user.v1.WatchUsersResponse. */
const EVENT_FIELDS = { created: 1, updated: 2, removed: 3, synced: 4, progress: 5, reset: 6 };

/** Returns the bytes of a watch's event. */
export function encodeWatchEvent({ kind, user, userId, resumeToken, changeId }: WatchEvent): Uint8Array {
  begin((user ? userBytes(user) : 3 * userId.length) + resumeToken.length + changeId.length + 32);
  const field = EVENT_FIELDS[kind];
  if (user) writeUser(user, field);
  else {
    room[end++] = (field << 3) | LENGTH_DELIMITED;
    const start = end;
    end += LENGTH_BYTES;
    writeText(1, userId);
    endField(start);
  }
  writeText(7, resumeToken);
  writeText(8, changeId);
  return finish();
}

/** Returns the part of an answer after its users: the token of the next page. */
export function encodePageToken(nextPageToken: string): Uint8Array {
  begin(3 * nextPageToken.length + 16);
  writeText(2, nextPageToken);
  return finish();
}

/**
 * Returns the most bytes that a user can take: three for each UTF-16 unit of its texts, and less than 128 for the rest.
 */
function userBytes({ id, email, name }: User): number {
  return 3 * (id.length + email.length + name.length) + 128;
}

function begin(maxBytes: number): void {
  end = 0;
  if (maxBytes > room.byteLength) room = Buffer.allocUnsafeSlow(maxBytes);
}

function finish(): Uint8Array {
  const bytes = Buffer.allocUnsafe(end);
  room.copy(bytes, 0, 0, end);
  if (room.byteLength > 16 * MIN_ROOM_BYTES) room = Buffer.allocUnsafeSlow(MIN_ROOM_BYTES);
  return bytes;
}

function writeUser(user: User, field = 1): void {
  room[end++] = (field << 3) | LENGTH_DELIMITED;
  const start = end;
  end += LENGTH_BYTES;
  writeText(1, user.id);
  writeText(2, user.email);
  writeText(3, user.name);
  writeTime(4, user.createdAtMs);
  writeTime(5, user.updatedAtMs);
  writeText(6, etagOf(user));
  endField(start);
}

/** Writes a google.protobuf.Timestamp. */
function writeTime(field: number, ms: number): void {
  const seconds = Math.floor(ms / 1_000);
  const nanos = (ms - seconds * 1_000) * 1_000_000;
  room[end++] = (field << 3) | LENGTH_DELIMITED;
  const start = end;
  end += LENGTH_BYTES;
  if (seconds !== 0) {
    room[end++] = (1 << 3) | VARINT;
    writeVarint(seconds);
  }
  if (nanos !== 0) {
    room[end++] = (2 << 3) | VARINT;
    writeVarint(nanos);
  }
  endField(start);
}

function writeNumber(field: number, value: number): void {
  room[end++] = (field << 3) | VARINT;
  writeVarint(value);
}

function writeText(field: number, text: string): void {
  if (text === "") return;
  room[end++] = (field << 3) | LENGTH_DELIMITED;
  const start = end;
  end += LENGTH_BYTES;
  if (text.length > MAX_SHORT_LENGTH || !writeAscii(text))
    end = start + LENGTH_BYTES + room.write(text, start + LENGTH_BYTES);
  endField(start);
}

/** Writes a text if it is ASCII. Returns whether it is. */
function writeAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return false;
    room[end + i] = code;
  }
  end += text.length;
  return true;
}

/** Writes the length of the complete field that begins at `start`. */
function endField(start: number): void {
  const length = end - start - LENGTH_BYTES;
  if (length < 0x80) {
    room[start] = length;
    return;
  }
  const bytes = varintBytes(length);
  room.copyWithin(start + bytes, start + LENGTH_BYTES, end);
  end = start;
  writeVarint(length);
  end = start + bytes + length;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

/** Writes a whole number from 0 to 2^53. */
function writeVarint(value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    room[end++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  room[end++] = rest;
}
