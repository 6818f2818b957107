import { createContextKey, type Interceptor } from "@connectrpc/connect";

type Next = Parameters<Interceptor>[0];

/** Makes a call by `next`, and sees all of it. */
export type CallObserver = (next: Next, request: Parameters<Next>[0]) => ReturnType<Next>;

/** Key for a call's context values: who observes it. */
export const observerKey = createContextKey<CallObserver | undefined>(undefined, {
  description: "observer of the call",
});

/** Lets calls be observed by those that their context values name. */
export const letObserve: Interceptor = (next) => (request) =>
  request.contextValues.get(observerKey)?.(next, request) ?? next(request);
