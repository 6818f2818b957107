/** Longest delay of a timer: 2^31 - 1 ms, almost 25 days. A longer one fires immediately. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
