import "./users.css";
import { TransportProvider } from "@connectrpc/connect-query";
import { QueryClientProvider } from "@tanstack/react-query";
import { queryClient, transport } from "../api/api.ts";
import { Directory } from "./directory.tsx";

/** The directory of users, with what it needs to ask the server. */
export function UsersPage() {
  return (
    <TransportProvider transport={transport}>
      <QueryClientProvider client={queryClient}>
        <Directory />
      </QueryClientProvider>
    </TransportProvider>
  );
}
