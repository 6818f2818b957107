/** Outputs of the README's programs (`ts`), in their order. */
export const programOutputs: readonly RegExp[] = [
  /^Emmy Noether\n$/,
  /^email: .+\nname: .+\n$/,
  /^Result 0 .*\nResult 1 .*\nResult 2 .*\n(\d+ of \d+\n)+64\nEcho: Hello\nEcho: Goodbye\n$/,
  /^live\n0 users\n$/,
  /^0\n$/,
  /UserService\/ListUsers.*\n0\n$/s,
  /^0\n$/,
];

/** Outputs of the README's scripts (`sh`), in their order. */
export const scriptOutputs: readonly RegExp[] = [
  /^[\da-f-]{36}\tedsger@example.com\tEdsger Dijkstra\t.*\n(.*\n){2}(Result .*\n){10}[\da-f]{64} .*\nEcho: Hello\nEcho: Goodbye\n$/,
  /^2 users created, 0 skipped, 0 failed\.\n2 users exported\.\n$/,
  /^\{"user":.+\}\n\{"reply":"Echo: one"\}\n\{"reply":"Echo: two"\}\n$/,
  /^[\w-]+\.[\w-]+\.[\w-]+\n$/,
];
