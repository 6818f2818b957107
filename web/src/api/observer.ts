import { createContextKey, type Interceptor } from "@connectrpc/connect";

type Next = Parameters<Interceptor>[0];

/** Makes a call through `next`, and observes it. */
export type CallObserver = (next: Next, request: Parameters<Next>[0]) => ReturnType<Next>;

/** Key of a call's observer in its context values. */
export const observerKey = createContextKey<CallObserver | undefined>(undefined, {
  description: "observer of the call",
});

/** Lets a call's observer, if its context values have one, observe it. */
export const letObserve: Interceptor = (next) => (request) =>
  request.contextValues.get(observerKey)?.(next, request) ?? next(request);
