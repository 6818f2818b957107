const ID_BYTES = 16;
/** Random bytes that are fetched together: fetching them for each id would take longer than all the rest. */
const POOL_BYTES = 4_096;

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;

/** Returns 128 random bits in hexadecimal. Unlike `crypto.randomUUID`, this also works on pages without TLS. */
export function randomId(): string {
  if (used === POOL_BYTES) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let id = "";
  for (const end = used + ID_BYTES; used < end; used++) id += hex[pool[used] ?? 0];
  return id;
}
