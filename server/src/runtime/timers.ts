/** Longest wait of a timer, in milliseconds: 2^31 - 1. With a longer one, Node.js fires it at once. */
export const MAX_TIMER_MS = 2_147_483_647;
