/** The longest that a timer can wait: 2^31 - 1 ms, almost 25 days. A longer one fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
