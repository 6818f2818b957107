import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { CommandCall } from "./globals.ts";

/** Estimates the number of all users from those up to one that was created then; undefined if that says nothing. */
export type Estimate = (exported: number, createdAt: Timestamp | undefined) => number | undefined;

/**
 * Prepares an estimate of how many users an export will have, where there are more than the server counts. An export is
 * in the order of creation, so a user's time between the first and the last creation tells about which part is done.
 */
export async function prepareEstimate({ client, options }: CommandCall, filter: string): Promise<Estimate> {
  const createdFirst = async (orderBy: string) => {
    const { users } = await client.users.list({ pageSize: 1, filter, orderBy }, options);
    return users[0]?.createdAt ? timestampMs(users[0].createdAt) : Number.NaN;
  };
  const [oldestMs, newestMs] = await Promise.all([createdFirst("create_time"), createdFirst("create_time desc")]);
  return (exported, createdAt) => {
    if (!createdAt) return undefined;
    const part = (timestampMs(createdAt) - oldestMs) / (newestMs - oldestMs);
    // Two digits, since more would be made up.
    return part > 0 ? Math.max(exported, Number((exported / Math.min(1, part)).toPrecision(2))) : undefined;
  };
}
