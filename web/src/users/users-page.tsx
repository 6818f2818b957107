import "./users.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { queryClient } from "../api/query-client.ts";
import { Directory } from "./directory.tsx";

/** The directory of users, with the cache of the server's answers. */
export function UsersPage() {
  return (
    <QueryClientProvider client={queryClient}>
      <Directory />
    </QueryClientProvider>
  );
}
