import { type ComponentType, lazy } from "react";

export interface AppRoute {
  readonly path: string;
  /** Name of the page in the navigation and in the window's title. */
  readonly title: string;
  /** Loaded on the first visit. */
  readonly Page: ComponentType;
  /** Page of one of the listed items, at a path below the page's own. It sets the title of the window. */
  readonly Detail?: ComponentType;
}

/** All pages, in the order of the navigation; `/` leads to the first. */
export const ROUTES = [
  {
    path: "/users",
    title: "Users",
    Page: lazy(async () => ({ default: (await import("./users/users-page.tsx")).UsersPage })),
    Detail: lazy(async () => ({ default: (await import("./users/user-page.tsx")).UserPage })),
  },
  {
    path: "/query",
    title: "Query",
    Page: lazy(async () => ({ default: (await import("./query/query-page.tsx")).QueryPage })),
  },
  {
    path: "/upload",
    title: "Upload",
    Page: lazy(async () => ({ default: (await import("./upload/upload-page.tsx")).UploadPage })),
  },
  {
    path: "/chat",
    title: "Chat",
    Page: lazy(async () => ({ default: (await import("./chat/chat-page.tsx")).ChatPage })),
  },
  {
    path: "/explorer",
    title: "Explorer",
    Page: lazy(async () => ({ default: (await import("./explorer/explorer-page.tsx")).ExplorerPage })),
  },
] as const satisfies readonly AppRoute[];

/** Finds the page of a path, and the entry of the navigation that leads there. */
export function findRoute(path: string): { route: AppRoute; Page: ComponentType } | undefined {
  for (const route of ROUTES as readonly AppRoute[]) {
    if (path === route.path) return { route, Page: route.Page };
    const isBelow = path.lastIndexOf("/") === route.path.length && path.startsWith(`${route.path}/`);
    if (route.Detail && isBelow) return { route, Page: route.Detail };
  }
  return undefined;
}
